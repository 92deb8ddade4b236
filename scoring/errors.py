"""Errors that keep the service from starting or answering, one class per cause."""

from features.errors import PersonalizationError


class EngineError(PersonalizationError):
    """The engine cannot be started, or cannot compute a probability."""


class FetchError(PersonalizationError):
    """The snapshots in the lake can't be fetched."""


class GoldenError(PersonalizationError):
    """The model does not reproduce the probabilities that training computed."""


class KeysError(PersonalizationError):
    """The keys file cannot be used."""


class ListenError(PersonalizationError):
    """The service cannot listen on its address."""


class RecordTypeError(PersonalizationError):
    """A column has the same name as one of the service's own fields."""


class TlsError(PersonalizationError):
    """The certificate or its key cannot be used."""


class DiskFullError(PersonalizationError):
    """The disk is too full for the files that the workers share."""
