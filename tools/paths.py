"""Where things are on this machine: the repository, a stack's state, and the cache that all checkouts share."""

import os
from pathlib import Path

from tools.stack_names import require_stack_name
from training.runtime import cache_folder

__all__ = ["ROOT", "cache_folder", "stacks_folder", "state_folder"]

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""
STATE_VARIABLE = "PERSONALIZE_STATE"


def state_folder(stack: str) -> Path:
    """The folder with one stack's Pulumi state, lake, registry and service on this machine.

    Raises `StackNameError` for a name that could lead elsewhere.
    """
    return stacks_folder() / require_stack_name(stack)


def stacks_folder() -> Path:
    """The folder of all stacks' folders: `.personalize` in the repository, or what `PERSONALIZE_STATE` names."""
    base = os.environ.get(STATE_VARIABLE)
    return Path(base).absolute() if base else ROOT / ".personalize"
