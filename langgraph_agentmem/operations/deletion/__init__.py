"""Forgetting: what is removed, what is left of it, and looking again."""
