"""LangGraph nodes: each can be added to any graph whose state has the channels that it reads and writes."""
