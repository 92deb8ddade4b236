"""A resource of the bootstrap: whether it exists, and how it is created."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from azure_clients.errors import ManagerRefusedError
from azure_clients.resource_manager import ResourceManager
from features.errors import PersonalizationError

EXISTS = "RoleAssignmentExists"
"""Azure's error code for a role that was assigned before, under another name."""
DELETED = "ConflictError"
"""Azure's error code if a deleted Key Vault holds the name (alan-turing-institute/data-safe-haven#2523 quotes it)."""


class NotRecoveredError(PersonalizationError):
    """A deleted resource holds a name, and Azure did not recover it."""


class State(StrEnum):
    """The result for an item."""

    THERE = "there"
    MADE = "made"
    RECOVERED = "recovered"
    MISSING = "would be made"
    REFUSED = "refused"


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
    recovery: Mapping[str, Any] | None = None
    """The body that recovers it with its contents if it was deleted, for one whose name then stays taken."""
    optional: str = ""
    """What to do without it if Azure refuses it; empty if nothing works without it."""

    def ensure(self, manager: ResourceManager, *, dry_run: bool) -> State:
        """Create or recover it, unless it exists or `dry_run` is given.

        Raises `ManagerRefusedError` or `NotRecoveredError`.
        """
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
            if error.code == DELETED and self.recovery is not None:
                return self._recover(manager, path, self.recovery)
            raise
        return State.MADE

    def _recover(self, manager: ResourceManager, path: str, body: Mapping[str, Any]) -> State:
        try:
            manager.put(path, self.version, body)
        except ManagerRefusedError as error:
            name = path.rpartition("/")[2]
            raise NotRecoveredError(
                f"{name} was deleted, still holds its name, and was not recovered: {error} Run `az keyvault recover "
                f"--name {name}`, which recovers it in the region where it was; then run `bootstrap` again."
            ) from error
        return State.RECOVERED

    def tried(self, ensure: Callable[[], State], say: Callable[[str], None]) -> State:
        """The result of `ensure`. If Azure refuses an optional item, `say` gets the reason."""
        try:
            return ensure()
        except ManagerRefusedError as error:
            if not self.optional:
                raise
            say(f"The {self.title} is missing or not as the settings say: {error} {self.optional}")
            return State.REFUSED


def item_at(title: str, path: str, version: str, body: Mapping[str, Any]) -> Item:
    """An item that depends on no other item."""
    return Item(title=title, path=lambda: path, version=version, body=lambda: body)
