"""SQL, and nothing else: no embedding, no model, no decisions."""
