"""Retries of calls to Azure: a new role takes minutes to become effective, and services can be busy.

Most of the SDKs retry 429 and 503 themselves; this is for clients that don't, and for 403. The SDKs are imported with
the first call: steps that run on this machine have the same base as those that need them.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Protocol, TypeVar

from azure_clients.credentials import forget_tokens, unknown_service
from azure_clients.errors import FORBIDDEN, TOKEN_ATTEMPTS, UNAUTHENTICATED
from features.errors import PersonalizationError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Answer = TypeVar("Answer")
PASSING = frozenset({UNAUTHENTICATED, FORBIDDEN, 429, 503})
"""Statuses that a retry may change."""


class Waiting(Protocol):
    """Shows what is waited for, and can stop the wait."""

    @property
    def report(self) -> Callable[[str], None]:
        """Shows a line of progress."""
        ...

    @property
    def cancelled(self) -> Event:
        """Set once the user has pressed Ctrl-C."""
        ...

    def raise_if_cancelled(self) -> None:
        """Raise once the user has pressed Ctrl-C."""
        ...


class AzureRefusedError(PersonalizationError):
    """Azure or Databricks rejected a call, also after retries."""


@dataclass(frozen=True)
class Timeout:
    """How long to retry in all, and how long to wait between attempts, in seconds."""

    seconds: float = 600.0
    pause: float = 5.0


USUAL = Timeout()
"""A new role takes up to ten minutes to become effective."""


def retried(what: str, call: Callable[[], Answer], context: Waiting, timeout: Timeout) -> Answer:
    """The result of `call`, which is retried while Azure's response may still change. `what` completes "to ...".

    Raises `AzureRefusedError` with Azure's message, and `StepCancelledError` after Ctrl-C.
    """
    import tenacity  # noqa: PLC0415 - see the top
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - see the top
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - see the top

    out_of_time = tenacity.stop_after_delay(timeout.seconds)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=lambda state: out_of_time(state) or _refused_for_good(state),
        wait=tenacity.wait_fixed(timeout.pause),
        before_sleep=lambda state: _before_next(what, state, context),
        sleep=lambda seconds: pause(seconds, context),
        reraise=True,
    )
    started = time.monotonic()
    try:
        return retrying(call)
    except (AzureError, DatabricksError) as error:
        raise AzureRefusedError(_sentence(what, error, time.monotonic() - started)) from error


def exists(what: str, look: Callable[[], object], context: Waiting, timeout: Timeout) -> bool:
    """Whether `look` finds something; raises like `retried`."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - see the top

    def found() -> bool:
        try:
            look()
        except ResourceNotFoundError:
            return False
        return True

    return retried(what, found, context, timeout)


class Deadline:
    """The deadline of a polling loop."""

    def __init__(self, timeout: Timeout, context: Waiting) -> None:
        """Starts now."""
        self._timeout = timeout
        self._context = context
        self._started = time.monotonic()

    def wait(self, message: str) -> bool:
        """Show `message` and wait until the next attempt; False if there is no time left."""
        waited = time.monotonic() - self._started
        if waited > self._timeout.seconds:
            return False
        self._context.report(f"{message}, {waited:.0f} s so far")
        pause(self._timeout.pause, self._context)
        return True


def pause(seconds: float, context: Waiting) -> None:
    """Wait; raises `StepCancelledError` as soon as the user presses Ctrl-C."""
    context.cancelled.wait(seconds)
    context.raise_if_cancelled()


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of an SDK's error, if known; azure-ai-ml wraps errors of storage."""
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - see the top
    from databricks.sdk import errors  # noqa: PLC0415 - see the top

    of_databricks = {
        errors.Unauthenticated: UNAUTHENTICATED,
        errors.PermissionDenied: FORBIDDEN,
        errors.TooManyRequests: 429,
        errors.TemporarilyUnavailable: 503,
    }
    while error is not None:
        if isinstance(error, HttpResponseError):
            return error.status_code
        for kind, status in of_databricks.items():
            if isinstance(error, kind):
                return status
        error = error.__cause__
    return None


def _mending_unknown(error: BaseException) -> str:
    """What to do if the directory still does not know a service."""
    named = re.search(r"resource principal named (\S+) was not found", str(error))
    application = named[1] if named else "ID-OF-THE-SERVICE"
    return (
        "The directory still does not know this service. Its administrator must run "
        f"`az ad sp create --id {application}`, then run `up` again."
    )


def _may_pass(error: BaseException) -> bool:
    """The project's own errors are never retried: `call` has already handled the cause."""
    passing = status_of(error) in PASSING or unknown_service(error)
    return passing and not isinstance(error, PersonalizationError)


def _refused_for_good(state: "RetryCallState") -> bool:
    return status_of(_error(state)) == UNAUTHENTICATED and state.attempt_number >= TOKEN_ATTEMPTS


def _before_next(what: str, state: "RetryCallState", context: Waiting) -> None:
    status = status_of(_error(state))
    if status == UNAUTHENTICATED:
        forget_tokens()
    reasons = {FORBIDDEN: "the role is not effective yet", UNAUTHENTICATED: "the token was rejected"}
    reason = reasons.get(status or 0, "the service is busy")
    if unknown_service(_error(state)):
        reason = "the directory does not know the service yet"
    context.report(f"waiting to {what}: {reason}, {state.seconds_since_start or 0.0:.0f} s so far")


def _error(state: "RetryCallState") -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _sentence(what: str, error: Exception, seconds: float) -> str:
    reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
    advice = ""
    if status_of(error) == FORBIDDEN:
        advice = (
            f" It was retried for {seconds:.0f} s, because a new role takes up to 10 minutes. Check that you are one "
            "of `azure.deployers`, then run `up` again."
        )
    elif unknown_service(error):
        advice = f" {_mending_unknown(error)}"
    return f"Azure refused to {what}: {reason}{advice}"
