"""The client of Resource Manager: pages, long operations, and what a refusal becomes."""

from typing import Any

import pytest

pytest.importorskip("azure.mgmt.core", reason="needs `uv sync --inexact --extra azure`")

from azure_clients.errors import ManagerRefusedError
from tests.support.fake_manager import MANAGER, Call, FakeManager

VERSION = "2021-04-01"
GROUPS = "/subscriptions/s/resourcegroups"
PLACE = f"{GROUPS}/g"


def paged(call: Call) -> dict[str, Any]:
    """Three pages with two, no and one entries, as a filtered list has them."""
    page = int(call.query.get("page", "1"))
    entries = {1: [{"name": "a"}, {"name": "b"}], 2: [], 3: [{"name": "c"}]}[page]
    following = {"nextLink": f"{MANAGER}{GROUPS}?api-version={VERSION}&page={page + 1}"} if page < 3 else {}
    return {"value": entries, **following}


def test_a_list_is_read_to_its_last_page_even_behind_an_empty_one() -> None:
    fake = FakeManager()
    fake.answer(f"^GET {GROUPS}$", paged)
    assert [one["name"] for one in fake.manager().list(GROUPS, VERSION, filter="x")] == ["a", "b", "c"]
    assert [call.query.get("filter") for call in fake.calls] == ["x", None, None]
    assert {call.query["api-version"] for call in fake.calls} == {VERSION}, "a link already says it, once"


def test_a_list_that_does_not_exist_is_empty_and_a_refused_one_is_an_error() -> None:
    fake = FakeManager()
    assert list(fake.manager().list(GROUPS, VERSION)) == []
    fake.refused["resourcegroups$"] = (403, "AuthorizationFailed")
    with pytest.raises(ManagerRefusedError) as refused:
        list(fake.manager().list(GROUPS, VERSION))
    assert (refused.value.status, refused.value.code) == (403, "AuthorizationFailed")


def test_a_page_that_fails_is_an_error_and_no_shorter_list() -> None:
    fake = FakeManager()
    fake.answer(f"^GET {GROUPS}$", lambda call: (403, {}) if "page" in call.query else paged(call))
    with pytest.raises(ManagerRefusedError):
        list(fake.manager().list(GROUPS, VERSION))


def test_a_rejected_token_is_replaced_and_the_third_rejection_is_an_error() -> None:
    fake = FakeManager()
    fake.answer(f"^GET {PLACE}$", lambda call: {"name": "g"} if call.authorization.endswith("again") else (401, {}))
    assert fake.manager().get(PLACE, VERSION) == {"name": "g"}
    assert [call.authorization for call in fake.calls] == ["Bearer token", "Bearer token again"]
    fake.refused["^POST"] = (401, "ExpiredAuthenticationToken")
    fake.calls.clear()
    with pytest.raises(ManagerRefusedError, match="ExpiredAuthenticationToken"):
        fake.manager().post(PLACE, VERSION)
    assert len(fake.calls) == 3


def test_what_is_missing_is_none_and_what_is_refused_is_not() -> None:
    fake = FakeManager()
    assert fake.manager().get(PLACE, VERSION) is None
    fake.refused["."] = (409, "Conflict")
    with pytest.raises(ManagerRefusedError, match="Conflict"):
        fake.manager().get(PLACE, VERSION)


def test_a_long_operation_is_followed_to_its_end() -> None:
    fake = FakeManager(headers={"PUT": {"Azure-AsyncOperation": f"{MANAGER}/operations/1"}})
    states = iter(["InProgress", "InProgress", "Succeeded"])
    fake.answer("^GET /operations/1$", lambda _: {"status": next(states)})
    assert fake.manager().put(PLACE, VERSION, {"location": "westeurope"})["location"] == "westeurope"
    assert next(states, None) is None


def test_a_long_operation_that_fails_is_a_refusal_with_azures_words() -> None:
    fake = FakeManager(headers={"PUT": {"Azure-AsyncOperation": f"{MANAGER}/operations/1"}})
    error = {"code": "SkuNotAvailable", "message": "No capacity in westeurope."}
    fake.answer("^GET /operations/1$", {"status": "Failed", "error": error})
    with pytest.raises(ManagerRefusedError, match=r"refused to PUT .*/resourcegroups/g: .*No capacity in westeurope"):
        fake.manager().put(PLACE, VERSION, {})
