"""What is left to a person: disputes, and the decisions on them."""
