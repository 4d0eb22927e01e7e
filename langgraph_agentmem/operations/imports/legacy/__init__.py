"""Brings along what an older three-tier system holds."""
