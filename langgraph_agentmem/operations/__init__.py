"""What a memory does, each in one transaction; embedding comes before it."""
