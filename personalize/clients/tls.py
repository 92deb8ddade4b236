"""Which certificates a client of the service trusts."""

import ssl
from pathlib import Path


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """The machine's own authorities and those in a PEM file; raises `OSError` when that cannot be read."""
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(authorities)
    return context
