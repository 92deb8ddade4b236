"""Where things are on this machine: the repository, a stack's state, and the cache that all checkouts share."""

import os
from pathlib import Path

from training.runtime import cache_folder

__all__ = ["ROOT", "cache_folder", "state_folder"]

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""


def state_folder(stack: str) -> Path:
    """The folder with one stack's Pulumi state, lake, registry and service on this machine.

    It is in `.personalize` in the repository, or in the folder that `PERSONALIZE_STATE` names.
    """
    base = os.environ.get("PERSONALIZE_STATE")
    return (Path(base) if base else ROOT / ".personalize") / stack
