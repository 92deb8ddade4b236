"""Recommends items from who chose what: rankers, their weights, and how they are judged."""
