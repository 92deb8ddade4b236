"""Compares the scoring service with common alternatives."""
