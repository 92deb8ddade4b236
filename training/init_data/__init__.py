"""Drafts a dataset config from tables, with a reason for each guess, and tries what the keys gain as features."""
