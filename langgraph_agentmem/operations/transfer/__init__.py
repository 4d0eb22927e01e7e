"""Whole memories, out of a database and into another."""
