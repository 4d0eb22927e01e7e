"""Conversations: messages, kept as a transcript, and what a model learns from them."""
