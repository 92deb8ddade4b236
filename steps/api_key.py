"""The service's API keys: the current and the previous one, so that clients can switch without an outage."""

import secrets

from azure_clients.retries import Context
from steps.step import Created, Kind, Place, Secret, Stack, State, Step, StepOutputs

KEY_BYTES = 32


class Inputs(Stack):
    """Each new value of `rotation` creates a new key."""

    registry: str
    rotation: int


class Outputs(StepOutputs):
    """The previous key is empty at first."""

    current: Secret[str]
    previous: Secret[str]


class ApiKeyHere(Step[Inputs, Outputs]):
    """Keys that are stored only in the stack's state, encrypted."""

    kind = Kind.API_KEY
    replaced_by = frozenset({"stack"})

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """The first key; there is no previous one."""
        return Created("key", Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=""))

    def update(self, identity: str, old: State, inputs: Inputs, context: Context) -> Outputs:
        """A new key if `rotation` changed; the old one stays valid."""
        if old["rotation"] == inputs.rotation:
            return self.known(old)
        return Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=old["current"])


class ApiKeyOnAzure(ApiKeyHere):
    """The same, declared by a stack on Azure."""

    place = Place.AZURE
