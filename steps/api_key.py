"""The service's API keys: the current and the previous one, so that clients can switch without an outage."""

import secrets

from azure_clients.retries import Context
from features.errors import BadInputError
from steps.step import Created, Difference, Kind, Place, Secret, Stack, State, Step, StepOutputs

KEY_BYTES = 32


class Inputs(Stack):
    """A `rotation` raised by one creates a new key; raised by more, it also ends the previous one."""

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

    def diff(self, old: State, new: State) -> Difference:
        """The changed inputs. Raises `BadInputError` for a lower `rotation`: the keys of then are gone."""
        if new["rotation"] < old["rotation"]:
            raise BadInputError(
                f"scoring.key_rotation is {new['rotation']}, and the service's keys are of rotation {old['rotation']}: "
                "a rotation can't be undone. Restore the number, or raise it for a new key."
            )
        return super().diff(old, new)

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """The first key; there is no previous one."""
        return Created("key", Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=""))

    def update(self, identity: str, old: State, inputs: Inputs, context: Context) -> Outputs:
        """A new key if `rotation` was raised; the old one stays valid after a single rotation."""
        raised = inputs.rotation - old["rotation"]
        if raised == 0:
            return self.known(old)
        return Outputs(current=secrets.token_urlsafe(KEY_BYTES), previous=old["current"] if raised == 1 else "")


class ApiKeyOnAzure(ApiKeyHere):
    """The same, declared by a stack on Azure."""

    place = Place.AZURE
