"""A resource of the bootstrap: whether it exists, and how it is created."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager

EXISTS = "RoleAssignmentExists"
"""Azure's error code for a role that was assigned before, under another name."""


class State(StrEnum):
    """The result for an item."""

    THERE = "there"
    MADE = "made"
    MISSING = "would be made"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A resource at a path. The body is computed when needed, since it may depend on an earlier item."""

    title: str
    path: Callable[[], str | None]
    """None while it depends on something that does not exist yet."""
    version: str
    body: Callable[[], Mapping[str, Any]]
    settled: Callable[[Mapping[str, Any]], bool] = lambda _: True
    """Whether an existing resource has the right values, for one that Azure creates with others."""

    def ensure(self, manager: ResourceManager, *, dry_run: bool) -> State:
        """Create it, unless it exists or `dry_run` is given. Raises `ManagerRefusedError`."""
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
    """An item that depends on no other item."""
    return Item(title=title, path=lambda: path, version=version, body=lambda: body)
