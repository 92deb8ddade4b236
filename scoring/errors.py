"""What can keep the service from starting or from answering, one class per cause."""

from features.errors import PersonalizationError


class EngineError(PersonalizationError):
    """An engine that cannot be started or cannot compute a probability."""


class GoldenError(PersonalizationError):
    """A model that does not reproduce the probabilities that training computed."""


class TracesError(PersonalizationError):
    """Requests cannot be traced as asked for."""


class KeysError(PersonalizationError):
    """A keys file that cannot be used."""


class ListenError(PersonalizationError):
    """An address that cannot be listened on."""


class RecordTypeError(PersonalizationError):
    """A schema whose records cannot be told apart from the service's own fields."""


class TlsError(PersonalizationError):
    """A certificate or its key that cannot be used."""


class DiskFullError(PersonalizationError):
    """There is no room for the files that the workers share."""
