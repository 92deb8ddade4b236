"""A first description of own tables, each guess with its reason."""
