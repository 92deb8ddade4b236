"""Synthetic rows of Criteo's shape whose click probability is known."""
