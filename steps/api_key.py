"""The service's API keys: the current and the previous one, so that clients can switch without an outage."""

import secrets

from steps.step import Context, Created, Kind, Place, Secret, Stack, State, Step, StepInputs, StepOutputs

KEY_BYTES = 32


class Inputs(StepInputs):
    """Each new value of `rotation` creates a new key."""

    registry: str
    rotation: int


class LocalInputs(Inputs, Stack):
    """The same on every target: the keys are stored only in the stack's state."""


class Outputs(StepOutputs):
    """The previous key is empty at first."""

    current: Secret[str]
    previous: Secret[str]


class ApiKeyHere(Step[LocalInputs, Outputs]):
    """Keys that are stored only in the stack's state, encrypted."""

    kind = Kind.API_KEY
    inputs = LocalInputs
    outputs = Outputs
    replaced_by = frozenset({"stack"})

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """The first key; there is no previous one."""
        del inputs, context
        return Created("key", Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=""))

    def update(self, identity: str, old: State, inputs: LocalInputs, context: Context) -> Outputs:
        """A new key if `rotation` changed; the old one stays valid."""
        del identity, context
        if old["rotation"] == inputs.rotation:
            return self.known(old)
        return Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=old["current"])

    def delete(self, identity: str, state: State, context: Context) -> None:
        """Nothing: the keys are deleted with the state."""


class ApiKeyOnAzure(ApiKeyHere):
    """The same, declared by a stack on Azure."""

    place = Place.AZURE
