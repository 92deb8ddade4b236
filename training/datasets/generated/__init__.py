"""Synthetic rows in Criteo's format with known click probabilities."""
