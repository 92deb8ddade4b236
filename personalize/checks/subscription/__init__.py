"""Looks at a subscription before anything is made in it, so that a stack does not fail after it has cost money."""
