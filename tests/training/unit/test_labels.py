"""Labels of events: what a config may say of them, and what is found out about the rows."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.unit.test_quick_check import INTERACTIONS, look, refused, written
from training.datasets.described.spec import load_spec
from training.datasets.errors import ColumnError, MalformedRowError, SeveralProblemsError, SpecError

EVENTS = "user,item,event,seen\nu1,i1,buy,2026-01-31 10:00:00\nu2,i2,view,1769853600\nu9,i1,buy,2026-02-01\n"
BOUGHT = {"column": "event", "positive": ["buy"], "negative": ["view"]}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONALIZE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ({"column": "rating", "at_least": 4, "equals": 5}, "label: give only one of `at_least`, `equals`, and"),
        (BOUGHT | {"equals": "buy"}, "label: give only one of"),
        ({"column": "event", "positive": ["buy"]}, "give both lists of events, `positive` and `negative`"),
        (BOUGHT | {"positive": ["buy", "view"]}, "view cannot be both positive and negative: name each event once"),
        (BOUGHT | {"positive": [True]}, r"positive\.0: Input should be a valid string, not True"),
    ],
)
def test_a_label_of_several_meanings_is_refused(tmp_path: Path, label: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        load_spec(written(tmp_path, {"interactions": INTERACTIONS}, label=label))


def test_an_event_in_neither_list_is_named_with_its_line(tmp_path: Path) -> None:
    look(written(tmp_path, {"interactions": EVENTS}, label=BOUGHT))
    path = written(tmp_path, {"interactions": EVENTS + "u1,i2,cart,3\nu1,i2,,3\n"}, label=BOUGHT)
    assert (
        f"{tmp_path}/interactions.csv, label event: 2 of 5 fields are an event in neither `positive` nor `negative`: "
        "line 5 'cart', line 6 ''"
    ) in refused(MalformedRowError, path)


def test_an_event_that_never_occurs_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"interactions": EVENTS}, label=BOUGHT | {"negative": ["view", "cart"]})
    assert refused(ColumnError, path) == (
        f"{tmp_path}/interactions.csv: the negative event 'cart' is in no row's event. Correct `label.negative`, or "
        "leave it out."
    )
    path = written(tmp_path, {"interactions": EVENTS}, label=BOUGHT | {"positive": ["Buy"]})
    text = refused(SeveralProblemsError, path)
    assert "2 of 3 fields are an event in neither `positive` nor `negative`: line 2 'buy', line 4 'buy'" in text
    assert "the positive event 'Buy' is in no row's event" in text
