"""What is tried again, for how long, and what ends the waiting."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

pytest.importorskip("azure.core", reason="needs `uv sync --inexact --extra azure`")

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from databricks.sdk.errors import PermissionDenied

from azure_clients import retries
from azure_clients.errors import TOKEN_ATTEMPTS
from azure_clients.retries import AzureRefusedError, Deadline, Timeout, exists, retried
from features.errors import PersonalizationError

FAST = Timeout(seconds=60, pause=0.001)


class CancelledError(Exception):
    """The user pressed Ctrl-C."""


@dataclass
class Context:
    """Keeps what is reported."""

    lines: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def report(self, line: str) -> None:
        """Keep it."""
        self.lines.append(line)

    def raise_if_cancelled(self) -> None:
        """Raise after Ctrl-C."""
        if self.cancelled.is_set():
            raise CancelledError


def refusal(status: int) -> HttpResponseError:
    error = HttpResponseError(f"status {status}")
    error.status_code = status
    return error


def failing(*errors: Exception) -> Callable[[], str]:
    """A call that raises these errors one after the other, and then succeeds."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


@pytest.mark.parametrize("error", [refusal(403), refusal(429), refusal(503), PermissionDenied("no")])
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    context = Context()
    assert retried("read it", failing(error, error), context, FAST) == "done"
    assert len(context.lines) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_what_stays_is_an_error_at_once(status: int) -> None:
    context = Context()
    with pytest.raises(AzureRefusedError, match=f"Azure refused to read it: .*status {status}"):
        retried("read it", failing(refusal(status)), context, FAST)
    assert context.lines == []


def test_our_own_errors_are_never_tried_again_whatever_their_cause() -> None:
    error = PersonalizationError("handled already")
    error.__cause__ = refusal(403)
    context = Context()
    with pytest.raises(PersonalizationError, match="handled already"):
        retried("read it", failing(error), context, FAST)
    assert context.lines == []


def test_a_wrapped_refusal_counts_by_its_cause() -> None:
    error = AzureError("azure-ai-ml's own")
    error.__cause__ = refusal(403)
    assert retried("read it", failing(error), Context(), FAST) == "done"


def test_a_rejected_token_is_renewed_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(retries, "forget_tokens", lambda: forgotten.append(1))
    with pytest.raises(AzureRefusedError):
        retried("read it", failing(*[refusal(401)] * 50), Context(), FAST)
    assert len(forgotten) == TOKEN_ATTEMPTS - 1


def test_ctrl_c_ends_the_waiting() -> None:
    context = Context()
    context.cancelled.set()
    with pytest.raises(CancelledError):
        retried("read it", failing(*[refusal(403)] * 50), context, Timeout(seconds=60, pause=60))


def test_time_runs_out_with_advice_about_roles() -> None:
    with pytest.raises(AzureRefusedError, match=r"azure\.deployers"):
        retried("read it", failing(*[refusal(403)] * 50), Context(), Timeout(seconds=0, pause=0))


def test_a_missing_thing_does_not_exist_and_a_refused_look_is_an_error() -> None:
    assert exists("look", failing(), Context(), FAST)
    assert not exists("look", failing(ResourceNotFoundError()), Context(), FAST)
    with pytest.raises(AzureRefusedError):
        exists("look", failing(refusal(400)), Context(), FAST)


def test_a_deadline_waits_until_its_time_is_over() -> None:
    context = Context()
    assert Deadline(Timeout(seconds=60, pause=0), context).wait("waiting for the cluster")
    assert context.lines == ["waiting for the cluster, 0 s so far"]
    assert not Deadline(Timeout(seconds=-1, pause=0), context).wait("waiting")
