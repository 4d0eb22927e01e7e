"""LangGraph's own checkpoint tables."""
