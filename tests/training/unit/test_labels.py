"""Labels of events: what a config may say of them, and what is found out about the rows."""

from pathlib import Path

import pytest

from tests.training.unit.test_quick_check import INTERACTIONS, look, refused, written
from tools.paths import ROOT
from training import datasets
from training.datasets.described.spec import load_spec
from training.datasets.errors import (
    ColumnError,
    JoinError,
    MalformedRowError,
    OneClassError,
    SeveralProblemsError,
    SpecError,
)
from training.parameters import TablesDataset

EXAMPLE = ROOT / "examples" / "tables" / "dataset.yaml"
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
        ("purchases", r"label: give the label as \{column: NAME\}, or the word positives if every row is positive"),
        ({"column": ""}, "label: give the label as"),
        ({"at_least": 4}, r"label\.column: Field required"),
        (BOUGHT | {"positive": [True]}, r"positive\.0: Input should be a valid string, not True"),
    ],
)
def test_a_label_of_several_meanings_is_refused(tmp_path: Path, label: object, reason: str) -> None:
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


BOUGHT_ALONE = "user,item,seen\nu1,i1,2026-01-31 10:00:00\nu2,i2,1769853600\nu9,i1,2026-02-01\n"


def test_positives_need_no_label_but_the_keys_of_users_and_items(tmp_path: Path) -> None:
    path = written(tmp_path, {"interactions": BOUGHT_ALONE}, label="positives")
    look(path)
    assert datasets.describe(TablesDataset(kind="tables", spec=path)).kind == "tables"
    load_spec(written(tmp_path, label="positives", numeric=[], categorical=[]))
    for entity in ("users", "items"):
        with pytest.raises(SpecError, match="`label: positives` is for recommendations, which need the keys of"):
            load_spec(written(tmp_path, label="positives", **{entity: None}))


def test_what_is_wrong_with_the_tables_of_positives_is_said_before(tmp_path: Path) -> None:
    path = written(tmp_path, {"interactions": BOUGHT_ALONE + "u1,,3\n"}, label="positives")
    with pytest.raises(MalformedRowError, match=r"key item: 1 of 4 fields is no key: line 5 ''"):
        datasets.describe(TablesDataset(kind="tables", spec=path))
    path = written(tmp_path, {"interactions": "user,item,seen\nu7,i1,3\n"}, label="positives")
    with pytest.raises(JoinError, match="0 of 1 rows"):
        datasets.describe(TablesDataset(kind="tables", spec=path))


def test_the_word_positives_is_written_as_it_is_read(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, {"interactions": BOUGHT_ALONE}, label="positives"))
    assert spec.model_dump(mode="json")["label"] == "positives"
    assert type(spec).model_validate(spec.model_dump(mode="json")) == spec


def test_rows_that_are_all_positive_name_the_way_out(tmp_path: Path) -> None:
    path = written(tmp_path, {"interactions": INTERACTIONS.replace(",1,", ",4,")})
    assert refused(OneClassError, path).endswith(
        "have the label 1. Give data with clicked and unclicked rows, or write `label: positives` if there are no "
        "others."
    )
    path = written(tmp_path, {"interactions": INTERACTIONS.replace(",5,", ",1,").replace(",4,", ",1,")})
    assert refused(OneClassError, path).endswith("have the label 0. Give data with clicked and unclicked rows.")
