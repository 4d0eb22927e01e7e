"""The queue of memories that are due."""
