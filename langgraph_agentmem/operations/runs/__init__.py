"""Consolidation runs: claim, detect conflicts, apply, promote, undo."""
