"""The service's keys: the current one, and the one before it, so that clients can change over without a gap."""

import secrets

from steps.provider.step import Context, Created, State
from steps.shared.inputs import LocalInputs, LocalStep

KEY_BYTES = 32


class ApiKeyInputs(LocalInputs):
    """Each new value of `rotation` makes a new key."""

    registry: str
    rotation: int


class ApiKey(LocalStep[ApiKeyInputs]):
    """Keys that live in the stack's state alone, encrypted."""

    inputs = ApiKeyInputs
    replaced_by = frozenset({"stack"})
    secrets = frozenset({"current", "previous"})

    def create(self, inputs: ApiKeyInputs, context: Context) -> Created:
        """The first key, with none before it."""
        del inputs, context
        return Created("key", {"current": secrets.token_urlsafe(KEY_BYTES), "previous": ""})

    def update(self, identity: str, old: State, inputs: ApiKeyInputs, context: Context) -> State:
        """A new key when `rotation` changed; the old one stays valid."""
        del identity, context
        if old["rotation"] == inputs.rotation:
            return {"current": old["current"], "previous": old["previous"]}
        return {"current": secrets.token_urlsafe(KEY_BYTES), "previous": old["current"]}

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the keys end with the state."""
