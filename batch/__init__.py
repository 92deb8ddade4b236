"""Recommendations for all users at once, on this machine."""
