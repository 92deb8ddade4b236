"""Where things lie on this machine: the repository, a stack's state, and the cache that all checkouts share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""


def state_folder(stack: str) -> Path:
    """Everything that belongs to one stack on this machine: Pulumi's state, the lake, the registry, the service."""
    return ROOT / ".personalize" / stack


def cache_folder() -> Path:
    """Tools and downloads, shared by all checkouts; `PERSONALIZE_CACHE` moves it."""
    if chosen := os.environ.get("PERSONALIZE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "personalize"
