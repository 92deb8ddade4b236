"""What can go wrong around an update, one class per cause."""

from features.errors import BadInputError, PersonalizationError


class StackFileMissingError(BadInputError):
    """The stack has no `Pulumi.<stack>.yaml`."""


class StackFileInvalidError(BadInputError):
    """The stack's file can't be read as a stack file."""


class StackMissingError(PersonalizationError):
    """Nothing was brought up under that name yet."""


class StackBusyError(PersonalizationError):
    """Another update of the same stack is running."""


class PassphraseLostError(PersonalizationError):
    """The passphrase that the stack's secrets are encrypted with is gone."""


class PassphraseWrongError(PersonalizationError):
    """The passphrase file holds something else than what the stack's secrets are encrypted with."""


class StepFailedError(PersonalizationError):
    """One or more steps ended with an error; the text has one sentence per step."""


class GateRejectedError(StepFailedError):
    """The candidate model was trained but may not serve."""


class StateUnreachableError(PersonalizationError):
    """The store of the state in the subscription does not answer, or not to who is signed in."""


class UpdateInterruptedError(PersonalizationError):
    """The update was cancelled by a signal."""


class EngineFailedError(PersonalizationError):
    """Pulumi itself failed, and said nothing about a step."""
