"""The certificates that a client of the service trusts."""

import ssl
from pathlib import Path


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """A context that trusts the machine's authorities and those in a PEM file. Raises `OSError`."""
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(authorities)
    return context
