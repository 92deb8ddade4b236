"""The service's API keys: the current and the previous one, so that clients can switch without an outage."""

import secrets

from steps.descriptions.api_key import EVERYWHERE, LocalInputs, Outputs
from steps.provider.step import Context, Created, State
from steps.shared.local_step import LocalStep

KEY_BYTES = 32


class ApiKey(LocalStep[LocalInputs, Outputs]):
    """Keys that are stored only in the stack's state, encrypted."""

    description = EVERYWHERE

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
