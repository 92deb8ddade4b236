"""The errors that a request can get: each class has an HTTP status and a code, each instance a message.

`/openapi.json` contains the docstrings of the structs and of most error classes.
"""

from typing import ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed."""

    code: str
    """A stable identifier of the cause."""
    message: str
    """The cause in a sentence."""
    field: str | None
    """The invalid field, for example `int03` or `records[2].cat07`."""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error response."""

    error: Problem


class Rejection(Exception):  # noqa: N818 - an answer to a request, not a failure
    """A request that gets an `ErrorAnswer`. The message never contains a feature's value."""

    status: ClassVar[int] = 400
    code: ClassVar[str]

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def body(self) -> bytes:
        """The body of the response, as JSON."""
        problem = Problem(code=self.code, message=self.message, field=self.field)
        return msgspec.json.encode(ErrorAnswer(error=problem))

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that the status requires, in addition to those of every response."""
        return []


class InvalidJson(Rejection):
    """A body that is not JSON."""

    code = "invalid_json"


class WrongType(Rejection):
    """A value whose type differs from the schema's."""

    code = "wrong_type"


class NotFinite(Rejection):
    """A number that is NaN, infinite or too large."""

    code = "not_finite"


class UnknownField(Rejection):
    """A field that the model does not know."""

    code = "unknown_field"


class UnknownItem(Rejection):
    """An item that is not in the catalogue, or was withdrawn."""

    code = "unknown_item"


class MissingField(Rejection):
    """A missing field of the request itself; features may be missing."""

    code = "missing_field"


class DuplicateField(Rejection):
    """A field that is given twice."""

    code = "duplicate_field"


class WrongCount(Rejection):
    """A list that is empty or longer than the limit."""

    code = "wrong_count"


class Unauthorized(Rejection):
    """A request without a valid key."""

    status = 401
    code = "unauthorized"

    def __init__(self, message: str, *, challenge: bytes = b"Bearer") -> None:
        """`challenge` is the authentication scheme; `Basic` makes a browser ask its user."""
        super().__init__(message)
        self._challenge = challenge

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The challenge, which RFC 9110 requires."""
        return [(b"www-authenticate", self._challenge)]


class NotFound(Rejection):
    """A path that does not exist."""

    status = 404
    code = "not_found"


class NoRecommender(Rejection):
    """The dataset has users and items, but its recommender was not good enough to serve."""

    status = 409
    code = "no_recommender"


class NoClickModel(Rejection):
    """The dataset has only positives, so the model recommends and gives no click probabilities."""

    status = 409
    code = "no_click_model"


class MethodNotAllowed(Rejection):
    """The path does not support this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, *, allowed: str) -> None:
        super().__init__(f"The method {method[:20]} is not allowed here; use {allowed}.")
        self._allowed = allowed

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The allowed methods, which RFC 9110 requires."""
        return [(b"allow", self._allowed.encode())]


class InvalidHttp(Rejection):
    """A request that is not valid HTTP/1.1, or whose body comes in too many small chunks."""

    code = "invalid_http"


class HeadersTooLarge(Rejection):
    """Headers above the limit."""

    status = 431
    code = "headers_too_large"


class SlowHead(Rejection):
    """Headers that did not arrive in time."""

    status = 408
    code = "slow_head"


class SlowBody(Rejection):
    """A body that did not arrive in time."""

    status = 408
    code = "slow_body"


class TooLarge(Rejection):
    """A body above the limit."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(Rejection):
    """A body that is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"


class Later(Rejection):
    """A request that may succeed if it is sent again later."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """After how many seconds a client may try again."""
        return [(b"retry-after", b"1")]


class UnknownCoding(Rejection):
    """A body with a transfer coding that the service does not know."""

    status = 501
    code = "unknown_coding"


class TooManyRequests(Later):
    """The rate limit of the key, or of an address without a key, is exceeded."""

    status = 429
    code = "too_many_requests"


class InternalError(Rejection):
    """An internal error of the service."""

    status = 500
    code = "internal_error"


class Unavailable(Later):
    """The service is temporarily unable to score."""

    status = 503
    code = "unavailable"


class NotReady(Unavailable):
    """The service is not ready: its model is not verified, or its engine is restarting."""

    code = "not_ready"


class Overloaded(Unavailable):
    """More requests, bytes or clients than the service has room for."""

    code = "overloaded"


class DeadlineExceeded(Unavailable):
    """A request that waited longer than its deadline."""

    code = "deadline_exceeded"


class EngineUnavailable(Unavailable):
    """An engine that does not respond."""

    code = "engine_unavailable"
