"""Reads and searches."""
