"""Tools for testing what is built with or beside this package."""
