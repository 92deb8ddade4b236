"""Sends a service requests as a crowd of clients would, and measures what comes back."""
