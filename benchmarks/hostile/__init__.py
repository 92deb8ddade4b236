"""Attacks on a running service, and what a client with a key feels of each."""
