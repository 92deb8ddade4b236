"""Retries of calls to Azure: a new role takes minutes to become effective, and services can be busy.

Most of the SDKs retry 429 and 503 themselves; this is for clients that don't, and for 403. The SDKs are imported with
the first call: steps that run on this machine have the same base as those that need them.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from azure_clients.credentials import forget_tokens, unknown_service
from azure_clients.errors import FORBIDDEN, TOKEN_ATTEMPTS, UNAUTHENTICATED
from features.errors import PersonalizationError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Answer = TypeVar("Answer")
PASSING = frozenset({UNAUTHENTICATED, FORBIDDEN, 429, 503})
"""Statuses that a retry may change."""


class AzureRefusedError(PersonalizationError):
    """Azure or Databricks rejected a call, also after retries."""


class StepCancelledError(PersonalizationError):
    """The user interrupted the run; the next one continues from what is finished."""


@dataclass(frozen=True)
class Timeout:
    """How long to retry in all, and how long to wait between attempts, in seconds."""

    seconds: float = 600.0
    pause: float = 5.0


USUAL = Timeout()
"""A new role takes up to ten minutes to become effective."""


@dataclass(frozen=True)
class Context:
    """For what takes long, such as a step: shows progress, and tells it when the user has pressed Ctrl-C."""

    report: Callable[[str], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    timeout: Timeout = USUAL
    """How long to wait for Azure."""

    def raise_if_cancelled(self) -> None:
        """Raise `StepCancelledError` once the user has pressed Ctrl-C."""
        if self.cancelled.is_set():
            raise StepCancelledError("Interrupted. Run `up` again to continue from what is finished.")


def retried(what: str, call: Callable[[], Answer], context: Context) -> Answer:
    """The result of `call`, which is retried while Azure's response may still change. `what` completes "to ...".

    Raises `AzureRefusedError` with Azure's message, and `StepCancelledError` after Ctrl-C.
    """
    import tenacity  # noqa: PLC0415 - see the top
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - see the top
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - see the top

    out_of_time = tenacity.stop_after_delay(context.timeout.seconds)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=lambda state: out_of_time(state) or _refused_for_good(state),
        before_sleep=lambda state: _before_next(what, state, context),
        sleep=lambda _: pause(context),
        reraise=True,
    )
    started = time.monotonic()
    try:
        return retrying(call)
    except (AzureError, DatabricksError) as error:
        raise AzureRefusedError(_sentence(what, error, time.monotonic() - started)) from error


def exists(what: str, look: Callable[[], object], context: Context) -> bool:
    """Whether `look` finds something; raises like `retried`."""
    return retried(what, lambda: or_none(look), context) is not None


def or_none(look: Callable[[], Answer]) -> Answer | None:
    """The result of `look`; None if Azure has no such thing."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - see the top

    try:
        return look()
    except ResourceNotFoundError:
        return None


class Deadline:
    """The deadline of a polling loop."""

    def __init__(self, context: Context) -> None:
        """Starts now."""
        self._context = context
        self._started = time.monotonic()

    def wait(self, message: str) -> bool:
        """Show `message` and wait until the next attempt; False if there is no time left."""
        waited = time.monotonic() - self._started
        if waited > self._context.timeout.seconds:
            return False
        self._context.report(f"{message}, {waited:.0f} s so far")
        pause(self._context)
        return True


def pause(context: Context) -> None:
    """Wait until the next attempt; raises `StepCancelledError` as soon as the user presses Ctrl-C."""
    context.cancelled.wait(context.timeout.pause)
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


def _may_pass(error: BaseException) -> bool:
    """The project's own errors are never retried: `call` has already handled the cause."""
    passing = status_of(error) in PASSING or unknown_service(error)
    return passing and not isinstance(error, PersonalizationError)


def _refused_for_good(state: "RetryCallState") -> bool:
    return status_of(_error(state)) == UNAUTHENTICATED and state.attempt_number >= TOKEN_ATTEMPTS


def _before_next(what: str, state: "RetryCallState", context: Context) -> None:
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
        named = re.search(r"resource principal named (\S+) was not found", str(error))
        advice = (
            " The directory still does not know this service. Its administrator must run `az ad sp create --id "
            f"{named[1] if named else 'ID-OF-THE-SERVICE'}`, then run `up` again."
        )
    return f"Azure refused to {what}: {reason}{advice}"
