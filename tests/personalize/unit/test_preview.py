"""`preview` for a stack on Azure."""

from types import SimpleNamespace
from typing import Any

import pytest

from personalize.stack.session import StackSession


@pytest.mark.parametrize("refresh", [True, False])
def test_a_look_at_what_is_really_there_is_let_into_databricks_first(
    monkeypatch: pytest.MonkeyPatch, *, refresh: bool
) -> None:
    seen: list[Any] = []
    session = StackSession("dev")
    monkeypatch.setattr(session, "prepare", lambda: None)
    session.__dict__["_state"] = SimpleNamespace(snapshot=lambda: {"resources": []})
    session.__dict__["_azure"] = SimpleNamespace(
        refuse_to_change_system_nodes=lambda _: None, enter=lambda _: seen.append("entered"), policy_packs=[]
    )
    session.__dict__["_engine"] = SimpleNamespace(preview=lambda *_, **given: seen.append(given["refresh"]))
    session.preview(lambda _: None, refresh=refresh)
    assert seen == (["entered", True] if refresh else [False])
