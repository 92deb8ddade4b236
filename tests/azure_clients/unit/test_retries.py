"""What is tried again, for how long, and what ends the waiting."""

from collections.abc import Callable
from dataclasses import replace

import pytest

pytest.importorskip("azure.core", reason="needs `uv sync --inexact --extra azure`")

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from databricks.sdk.errors import PermissionDenied

from azure_clients import retries
from azure_clients.errors import TOKEN_ATTEMPTS
from azure_clients.retries import AzureRefusedError, Context, Deadline, StepCancelledError, Timeout, exists, retried
from features.errors import PersonalizationError

FAST = Timeout(seconds=60, pause=0.001)


@pytest.fixture
def said() -> list[str]:
    """What is reported."""
    return []


@pytest.fixture
def context(said: list[str]) -> Context:
    return Context(said.append, timeout=FAST)


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
def test_what_may_pass_is_tried_again(context: Context, said: list[str], error: Exception) -> None:
    assert retried("read it", failing(error, error), context) == "done"
    assert len(said) == 2


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_what_stays_is_an_error_at_once(context: Context, said: list[str], status: int) -> None:
    with pytest.raises(AzureRefusedError, match=f"Azure refused to read it: .*status {status}"):
        retried("read it", failing(refusal(status)), context)
    assert said == []


def test_our_own_errors_are_never_tried_again_whatever_their_cause(context: Context, said: list[str]) -> None:
    error = PersonalizationError("handled already")
    error.__cause__ = refusal(403)
    with pytest.raises(PersonalizationError, match="handled already"):
        retried("read it", failing(error), context)
    assert said == []


def test_a_wrapped_refusal_counts_by_its_cause(context: Context) -> None:
    error = AzureError("azure-ai-ml's own")
    error.__cause__ = refusal(403)
    assert retried("read it", failing(error), context) == "done"


def test_a_rejected_token_is_renewed_a_few_times_only(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(retries, "forget_tokens", lambda: forgotten.append(1))
    with pytest.raises(AzureRefusedError):
        retried("read it", failing(*[refusal(401)] * 50), context)
    assert len(forgotten) == TOKEN_ATTEMPTS - 1


def test_ctrl_c_ends_the_waiting(context: Context) -> None:
    context = replace(context, timeout=Timeout(seconds=60, pause=60))
    context.cancelled.set()
    with pytest.raises(StepCancelledError):
        retried("read it", failing(*[refusal(403)] * 50), context)


def test_time_runs_out_with_advice_about_roles(context: Context) -> None:
    with pytest.raises(AzureRefusedError, match=r"azure\.deployers"):
        retried("read it", failing(*[refusal(403)] * 50), replace(context, timeout=Timeout(seconds=0, pause=0)))


def test_a_missing_thing_does_not_exist_and_a_refused_look_is_an_error(context: Context) -> None:
    assert exists("look", failing(), context)
    assert not exists("look", failing(ResourceNotFoundError()), context)
    with pytest.raises(AzureRefusedError):
        exists("look", failing(refusal(400)), context)


def test_a_deadline_waits_until_its_time_is_over(context: Context, said: list[str]) -> None:
    assert Deadline(context).wait("waiting for the cluster")
    assert said == ["waiting for the cluster, 0 s so far"]
    assert not Deadline(replace(context, timeout=Timeout(seconds=-1, pause=0))).wait("waiting")
