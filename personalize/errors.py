"""The errors of an update, one class per cause."""

from features.errors import BadInputError, PersonalizationError


class StackFileMissingError(BadInputError):
    """The stack has no `Pulumi.<stack>.yaml`."""


class StackFileInvalidError(BadInputError):
    """The stack's file can't be read as a stack file."""


class NotAStackFolderError(PersonalizationError):
    """Something that would be deleted is not a stack's own folder."""


class StackMissingError(PersonalizationError):
    """The stack is not up."""


class StackPausedError(PersonalizationError):
    """The stack's cluster is stopped, so that the stack can only be resumed or destroyed."""


class StackBusyError(PersonalizationError):
    """Another update of the same stack is running."""


class PassphraseLostError(PersonalizationError):
    """The passphrase that the stack's secrets are encrypted with is gone."""


class PassphraseWrongError(PersonalizationError):
    """The passphrase in the file does not decrypt the stack's secrets."""


class StepFailedError(PersonalizationError):
    """One or more steps ended with an error; the text has one sentence per step."""


class GateRejectedError(StepFailedError):
    """The candidate model was trained but may not serve."""


class StateUnreadableError(PersonalizationError):
    """The file with the state on this machine is empty or incomplete."""


class AnotherServesError(GateRejectedError):
    """As an earlier version serves instead, everything else is as the settings say."""


class StateUnreachableError(PersonalizationError):
    """The state backend in the subscription does not answer, or refuses the signed-in identity."""


class UpdateInterruptedError(PersonalizationError):
    """The update was cancelled by a signal."""


class ResourcesLeftError(PersonalizationError):
    """Resources are left after a deletion, so the stack's state must stay."""


class EngineFailedError(PersonalizationError):
    """Pulumi itself failed, not a step."""


class EngineForbiddenError(EngineFailedError):
    """Azure refuses the engine its state or the key for its secrets: a role is missing, or not effective yet."""
