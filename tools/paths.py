"""Where things lie on this machine: the repository, a stack's state, and the cache that all checkouts share."""

import os
from pathlib import Path

from training.runtime import cache_folder

__all__ = ["ROOT", "cache_folder", "state_folder"]

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""


def state_folder(stack: str) -> Path:
    """Everything that belongs to one stack on this machine: Pulumi's state, the lake, the registry, the service.

    `PERSONALIZE_STATE` names another place than `.personalize` in the repository.
    """
    base = os.environ.get("PERSONALIZE_STATE")
    return (Path(base) if base else ROOT / ".personalize") / stack
