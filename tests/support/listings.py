"""A container by a stand-in, for tests that need no Blob service."""

from collections.abc import Sequence
from typing import NoReturn

from training.datasets.placed.listing import Address, Blob


class Listing:
    """A container with these files."""

    def __init__(self, names: Sequence[str], size: int = 1) -> None:
        """Each of `size` bytes, with its name as its ETag."""
        self._files = [Blob(name=name, size=size, etag=name) for name in names]

    def files(self, address: Address) -> Sequence[Blob]:
        del address
        return self._files

    def fetch(self, *_: object) -> NoReturn:
        """There is nothing in them."""
        raise NotImplementedError
