"""How long a step waits for Azure: a new role counts only after minutes, and services are busy at times.

429 and 503 are repeated by most of the SDKs themselves; this is for the calls whose client does not, and for 403.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeVar

import tenacity
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from databricks.sdk.errors import PermissionDenied, TooManyRequests, Unauthenticated
from databricks.sdk.errors import TemporarilyUnavailable as Unavailable
from databricks.sdk.errors.base import DatabricksError

from azure_clients.credentials import TOKEN_ATTEMPTS, forget_tokens
from features.errors import PersonalizationError

Answer = TypeVar("Answer")
UNAUTHENTICATED = 401
FORBIDDEN = 403
PASSING = frozenset({UNAUTHENTICATED, FORBIDDEN, 429, 503})
"""Answers that another try may change."""
DATABRICKS_STATUS: dict[type[DatabricksError], int] = {
    Unauthenticated: UNAUTHENTICATED,
    PermissionDenied: FORBIDDEN,
    TooManyRequests: 429,
    Unavailable: 503,
}


class Waiting(Protocol):
    """Who waits: shown what is waited for, and able to stop it."""

    @property
    def report(self) -> Callable[[str], None]:
        """Shows a line of progress."""
        ...

    @property
    def cancelled(self) -> Event:
        """Set once the user wants to stop."""
        ...

    def raise_if_cancelled(self) -> None:
        """Raise once the user wants to stop."""
        ...


class AzureRefusedError(PersonalizationError):
    """A call that Azure or Databricks answered with an error, again and again where that can help."""


@dataclass(frozen=True)
class Timeout:
    """How long to try in all, and how long to wait between two tries, in seconds."""

    seconds: float = 600.0
    pause: float = 5.0


USUAL = Timeout()
"""A new role takes up to ten minutes to count."""


def retried(what: str, call: Callable[[], Answer], context: Waiting, timeout: Timeout) -> Answer:
    """What `call` returns, tried again while Azure's answer may still change. `what` completes "to ...".

    Raises `AzureRefusedError` with Azure's own sentence, `StepCancelledError` soon after an interruption.
    """
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
    """Whether `look` finds something; raises as `retried` does."""

    def found() -> bool:
        try:
            look()
        except ResourceNotFoundError:
            return False
        return True

    return retried(what, found, context, timeout)


class Deadline:
    """For what is asked again and again without an error: how long it may still be waited for."""

    def __init__(self, timeout: Timeout, context: Waiting) -> None:
        """It begins now."""
        self._timeout = timeout
        self._context = context
        self._started = time.monotonic()

    def wait(self, message: str) -> bool:
        """Show `message` and wait until the next try; False when there is no time left for one."""
        waited = time.monotonic() - self._started
        if waited > self._timeout.seconds:
            return False
        self._context.report(f"{message}, {waited:.0f} s so far")
        pause(self._timeout.pause, self._context)
        return True


def pause(seconds: float, context: Waiting) -> None:
    """Wait, but not longer than until an interruption, which raises `StepCancelledError`."""
    context.cancelled.wait(seconds)
    context.raise_if_cancelled()


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status behind an SDK's error, where it is known; azure-ai-ml wraps those of storage."""
    while error is not None:
        if isinstance(error, HttpResponseError):
            return error.status_code
        for kind, status in DATABRICKS_STATUS.items():
            if isinstance(error, kind):
                return status
        error = error.__cause__
    return None


def _may_pass(error: BaseException) -> bool:
    """An error that `call` raised in the project's own words was judged there."""
    return status_of(error) in PASSING and not isinstance(error, PersonalizationError)


def _refused_for_good(state: tenacity.RetryCallState) -> bool:
    return status_of(_error(state)) == UNAUTHENTICATED and state.attempt_number >= TOKEN_ATTEMPTS


def _before_next(what: str, state: tenacity.RetryCallState, context: Waiting) -> None:
    status = status_of(_error(state))
    if status == UNAUTHENTICATED:
        forget_tokens()
    reasons = {FORBIDDEN: "the role is not effective yet", UNAUTHENTICATED: "the token was refused"}
    waited = state.seconds_since_start or 0.0
    context.report(f"waiting to {what}: {reasons.get(status or 0, 'the service is busy')}, {waited:.0f} s so far")


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _sentence(what: str, error: AzureError | DatabricksError, seconds: float) -> str:
    reason = str(getattr(error, "message", None) or error).strip().splitlines()[0]
    advice = ""
    if status_of(error) == FORBIDDEN:
        advice = (
            f" It was tried for {seconds:.0f} s: a new role takes up to 10 minutes. If `azure.deployers` does not name "
            "who is signed in, add them and run `up` again."
        )
    return f"Azure refused to {what}: {reason}{advice}"
