"""Checks a subscription before anything is created, so that a stack does not fail after it has cost money."""
