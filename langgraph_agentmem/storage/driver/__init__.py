"""Connections to PostgreSQL, transactions, statements, migrations."""
