"""One thing that the bootstrap makes: whether it is there, and how it comes to be there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager

EXISTS = "RoleAssignmentExists"
"""Azure's word for a role that was given before, under another name."""


class State(StrEnum):
    """What became of an item."""

    THERE = "there"
    MADE = "made"
    MISSING = "would be made"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A resource at a path. The body is made when it is needed: it may hold what an item before it brought."""

    title: str
    path: Callable[[], str | None]
    """None while it depends on something that is not there yet."""
    version: str
    body: Callable[[], Mapping[str, Any]]
    settled: Callable[[Mapping[str, Any]], bool] = lambda _: True
    """Whether what is there is what is wanted, for what Azure itself makes with other values."""

    def ensure(self, manager: ResourceManager, *, dry_run: bool) -> State:
        """Make it, unless it is there or `dry_run` is given; raises `ManagerRefusedError`."""
        path = self.path()
        found = None if path is None else manager.get(path, self.version)
        if found is not None and self.settled(found):
            return State.THERE
        if dry_run or path is None:
            return State.MISSING
        try:
            manager.put(path, self.version, self.body())
        except ManagerRefusedError as error:
            if error.code == EXISTS:
                return State.THERE
            raise
        return State.MADE


def item_at(title: str, path: str, version: str, body: Mapping[str, Any]) -> Item:
    """An item that depends on no other one."""
    return Item(title=title, path=lambda: path, version=version, body=lambda: body)
