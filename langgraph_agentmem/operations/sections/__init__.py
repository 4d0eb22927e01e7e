"""Sections: how they are written, cut into chunks, and read."""
