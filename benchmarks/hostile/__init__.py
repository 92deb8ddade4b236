"""Attacks a running service and measures the effect on a client with a key."""
