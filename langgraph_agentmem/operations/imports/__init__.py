"""Brings along what other memories hold."""
