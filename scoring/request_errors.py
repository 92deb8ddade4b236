"""Why a request can be refused: a table of statuses, codes and meanings. `/openapi.json` contains the meanings."""

from enum import Enum
from http import HTTPStatus

import msgspec

Headers = list[tuple[bytes, bytes]]
RETRY_LATER: Headers = [(b"retry-after", b"1")]
"""After how many seconds a client may send a request again that may then succeed."""


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


class Refusal(Enum):
    """The causes: each has a status and a meaning, and its name in lower case is its code."""

    INVALID_JSON = 400, "A body that is not JSON."
    WRONG_TYPE = 400, "A value whose type differs from the schema's."
    OUT_OF_RANGE = 400, "A number that is lower or higher than allowed."
    NOT_FINITE = 400, "A number that is NaN, infinite or too large."
    UNKNOWN_FIELD = 400, "A field that the model does not know."
    UNKNOWN_ITEM = 400, "An item that is not in the catalogue, or was withdrawn."
    MISSING_FIELD = 400, "A missing field of the request itself; features may be missing."
    WRONG_COUNT = 400, "A list, an object or a body with too few or too many entries."
    INVALID_HTTP = 400, "A request that is not valid HTTP/1.1, or whose body comes in too many small chunks."
    UNAUTHORIZED = 401, "A request without a valid key."
    NOT_FOUND = 404, "A path that does not exist."
    METHOD_NOT_ALLOWED = 405, "The path does not support this method."
    SLOW_HEAD = 408, "Headers that did not arrive in time."
    SLOW_BODY = 408, "A body that did not arrive in time."
    NO_RECOMMENDER = 409, "The dataset has users and items, but its recommender was not good enough to serve."
    NO_CLICK_MODEL = 409, "The dataset has only positives, so the model recommends and gives no click probabilities."
    NO_BASKETS = 409, "Nothing is known of what was bought together: the dataset config names no `basket`."
    TOO_LARGE = 413, "A body above the limit."
    UNSUPPORTED_MEDIA_TYPE = 415, "A body that is not declared as JSON."
    TOO_MANY_REQUESTS = 429, "The rate limit of the key, or of an address without a key, is exceeded."
    HEADERS_TOO_LARGE = 431, "Headers above the limit."
    INTERNAL_ERROR = 500, "An internal error of the service."
    UNKNOWN_CODING = 501, "A body with a transfer coding that the service does not know."
    UNAVAILABLE = 503, "The service is temporarily unable to score."
    NOT_READY = 503, "The service is not ready: its model is not verified, or its engine is restarting."
    OVERLOADED = 503, "More requests, bytes or clients than the service has room for."
    DEADLINE_EXCEEDED = 503, "A request that waited longer than its deadline."
    ENGINE_UNAVAILABLE = 503, "An engine that does not respond."

    def __init__(self, status: int, meaning: str) -> None:
        self.status = status
        self.meaning = meaning

    def __call__(self, message: str, *, field: str | None = None, headers: Headers | None = None) -> "Rejection":
        """The rejection of a request for this cause; `message` never contains a feature's value."""
        return Rejection(self, message, field=field, headers=headers)


class Rejection(Exception):  # noqa: N818 - an answer to a request, not a failure
    """A request that gets an `ErrorAnswer`, with `headers` in addition to those of every response."""

    def __init__(
        self, refusal: Refusal, message: str, *, field: str | None = None, headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.status = refusal.status
        self.message = message
        self.field = field
        is_temporary = refusal.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        self.headers = headers or (RETRY_LATER if is_temporary else [])

    def body(self) -> bytes:
        """The body of the response, as JSON."""
        problem = Problem(code=self.refusal.name.lower(), message=self.message, field=self.field)
        return msgspec.json.encode(ErrorAnswer(error=problem))


def unauthorized(message: str, *, challenge: bytes = b"Bearer") -> Rejection:
    """The rejection of a request without a valid key.

    RFC 9110 requires the `challenge`, an authentication scheme; `Basic` makes a browser ask its user.
    """
    return Refusal.UNAUTHORIZED(message, headers=[(b"www-authenticate", challenge)])


def method_not_allowed(method: bytes, *, allowed: str) -> Rejection:
    """The rejection of a `method`, with those that are `allowed`, as RFC 9110 requires."""
    shown = method[:20].decode("ascii", "replace")
    message = f"The method {shown} is not allowed here; use {allowed}."
    return Refusal.METHOD_NOT_ALLOWED(message, headers=[(b"allow", allowed.encode())])
