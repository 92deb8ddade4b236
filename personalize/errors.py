"""The errors of an update, one class per cause."""

from features.errors import PersonalizationError


class StackMissingError(PersonalizationError):
    """The stack is not up."""


class StackPausedError(PersonalizationError):
    """The stack's cluster is stopped, so that the stack can only be resumed or destroyed."""


class StackBusyError(PersonalizationError):
    """Another update of the same stack is running."""


class StepFailedError(PersonalizationError):
    """One or more steps ended with an error; the text has one sentence per step."""


class GateRejectedError(StepFailedError):
    """The candidate model was trained but may not serve."""


class AnotherServesError(GateRejectedError):
    """As an earlier version serves instead, everything else is as the settings say."""


class UpdateInterruptedError(PersonalizationError):
    """The update was cancelled by a signal."""


class EngineFailedError(PersonalizationError):
    """Pulumi itself failed, not a step."""


class EngineForbiddenError(EngineFailedError):
    """Azure refuses the engine its state or the key for its secrets: a role is missing, or not effective yet."""
