"""Libraries that others import wherever they find them, and nobody here uses: they take seconds of each process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class Unneeded(MetaPathFinder):
    """In `sys.meta_path`, says of some libraries that they are not there; one that is imported already stays."""

    def __init__(self, *names: str) -> None:
        """Say so of these."""
        self._names = frozenset(names)

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Nothing, or `ModuleNotFoundError` for one of the names: what others catch where a library is optional."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)
        return None


@contextmanager
def without(*names: str) -> Iterator[None]:
    """The block in which these libraries are not imported."""
    finder = Unneeded(*names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
