"""Cleaning in the dataset config: what a shop's export has, and how its lines are read."""

import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from features.columns import Number
from features.values import AS_WRITTEN, KeyRule
from recommend.interactions import Interactions
from tests.support.rows import read
from training.catalogue import read_entities
from training.config import Source, TablesSpec, read_spec
from training.errors import BadRowsError, DatasetError, JoinError, MalformedRowError, SpecError
from training.parameters import TablesDataset
from training.tables.columns import table_rules
from training.tables.files import load_spec
from training.tables.interactions import read_chosen
from training.tables.quick import joined, kept, look_at
from training.tables.typed import TableRules, checks, cleaned, typed

ORDERS = "order,user,sku,at,quantity\n1,anna,a,1,1\n1,anna,b,2,2\n2,ben,a,3,1\n"
PRODUCTS = "sku,price,at\na,1.5,1\nb,2.5,2\n"
SPEC: dict[str, Any] = {
    "interactions": {"path": "orders.csv"},
    "users": {"key": "user"},
    "items": {"path": "products.csv", "key": "sku"},
    "label": "positives",
    "numeric": ["price"],
    "timestamp": "at",
}
TABLES = ("interactions", "users", "items")


def shop(folder: Path, orders: str = ORDERS, products: str = PRODUCTS, **changes: object) -> Path:
    """A shop's tables in `folder`, with these changes of its config; those of a table are added to it."""
    (folder / "orders.csv").write_text(orders)
    (folder / "products.csv").write_text(products)
    tables = {name: {**SPEC[name], **one} for name, one in changes.items() if name in TABLES and isinstance(one, dict)}
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({**SPEC, **changes, **tables}))
    return path


ALL_LINES: dict[str, Any] = {
    "interactions": {
        "where": {"quantity": {"above": -9, "at_most": 99}, "order": {"not": ["test", 7, date(2026, 1, 31)]}},
        "missing_keys": "one_time",
        "basket": "order",
        "refunds": "quantity",
        "decimal": ",",
    },
    "users": {"keys": {"lowercase": True, "strip": True}},
    "items": {"duplicates": "drop", "where": {"price": {"is": [1.5]}}},
}


def test_what_a_config_says_of_cleaning_is_the_same_when_it_is_written_and_read_again(tmp_path: Path) -> None:
    spec = read_spec(shop(tmp_path, **ALL_LINES))
    written = spec.model_dump(mode="json")
    assert written["interactions"]["where"] == {
        "quantity": {"above": -9, "at_most": 99},
        "order": {"not": ["test", 7, "2026-01-31"]},
    }
    assert TablesSpec.model_validate(written) == spec
    assert hash(spec) == hash(TablesSpec.model_validate(written))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interactions": {"decimal": ";"}}, "interactions.decimal: must be '.' or ',', not ';'"),
        ({"interactions": {"where": ["quantity"]}}, "interactions.where: give conditions by column, as {quantity:"),
        ({"interactions": {"where": {"quantity": 0}}}, "give what quantity must be, as {above: 0}"),
        ({"interactions": {"where": {"quantity": {}}}}, "give `above`, `at_least`, `below` or `at_most` with a number"),
        ({"interactions": {"where": {"quantity": {"above": "0"}}}}, "'0'"),
        ({"interactions": {"where": {"quantity": {"above": float("nan")}}}}, "or a finite number, not nan"),
        ({"interactions": {"where": {"order": {"is": [""]}}}}, "must be a number or at least 1 long"),
        ({"interactions": {"missing_keys": "guests"}}, "'drop' or 'one_time', not 'guests'"),
        ({"interactions": {"missing_keys": "one_time"}}, "needs to know what was bought together: name a `basket`"),
        ({"interactions": {"refunds": "quantity"}, "label": {"column": "quantity"}}, "`refunds` is for choices"),
        *(
            (
                {"interactions": {"refunds": "quantity", "where": {"quantity": one}}},
                "leaves out each row with a negative",
            )
            for one in ({"above": 0}, {"at_least": 1, "below": 9}, {"is": [1, 2]})
        ),
        ({"one_row_per": ["user", "sku"]}, "`one_row_per` is for clicks, and every row is a choice here"),
        ({"users": {"duplicates": "drop"}}, "`where` and `duplicates` of the users are about rows"),
        ({"items": {"duplicates": "keep"}}, "'drop'"),
        ({"items": {"keys": {"upper": True}}}, "items.keys.upper"),
        (
            {"users": {"keys": {"strip": True}}, "categorical": ["user"]},
            "user has a rule of `keys`, by which the click",
        ),
        ({"label": {"column": "kind", "choice": [*"abcdefghi"]}}, "label.choice: must be at most 8 long. See"),
        ({"label": {"column": "kind", "choice": ["buy", "buy"]}}, "`choice` names buy again"),
        ({"label": {"column": "kind", "choice": []}}, "label.choice: must be at least 1 long"),
        ({"label": {"column": "kind", "choice": ["buy"], "equals": 1}}, "give only one of `at_least`, `equals`, `choi"),
        ({"label": {"column": "kind", "choice": ["buy"]}, "items": None}, "`choice` is for recommendations"),
    ],
)
def test_a_cleaning_line_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec(shop(tmp_path, **changes))
    assert reason in str(caught.value)


MESSY = """order,user,sku,at,quantity,status
1, Anna ,a,31.03.2026 09:34,1,ok
1,anna,b,31.03.2026 09:34,2,ok
2,,a,01.04.2026 10:00,1,ok
2,,c,01.04.2026 10:00,1,ok
3,ben,zz,01.04.2026 11:00,1,ok
4,ben,b,02.04.2026,1,ok
4,ben,b,03.04.2026,-1,ok
5,,,03.04.2026,1,ok
,,a,03.04.2026,1,ok
6,ben,a,03.04.2026,1,test
"""
QUIRKY = """sku,price,at,active
a,"1,50",01.01.2026,yes
a,"2,50",02.01.2026,yes
b,"3,00",01.01.2026,yes
c,"4,00",01.01.2026,no
"""
CLEANED: dict[str, Any] = {
    "interactions": {
        "missing_keys": "one_time",
        "basket": "order",
        "refunds": "quantity",
        "where": {"status": {"not": ["test"]}},
    },
    "users": {"keys": {"lowercase": True, "strip": True}},
    "items": {"decimal": ",", "duplicates": "drop", "where": {"active": {"is": ["yes"]}}},
    "timestamp": {"column": "at", "format": "day-first"},
}
COUNTS = (
    "Cleaning left out 1 of the interactions by `where`, 1 of the items by `where`, 2 of the interactions for lack of "
    "a key, 1 of the items because their key is repeated, 1 as refunds, 1 as taken back by refunds. It changed how "
    "keys are spelled: 1 in the interactions. Among the interactions are 2 of one-time users, 2 with items that are "
    "learned from and not recommended"
)


def test_a_shop_with_every_quirk_is_read_as_its_config_says(tmp_path: Path) -> None:
    """Of Ben, whose order 4 was returned and order 6 was a test, the unknown item is left; order 2 is a guest's."""
    spec = load_spec(shop(tmp_path, MESSY, QUIRKY, **CLEANED))
    chosen = read_chosen(spec)
    choices = chosen.choices
    assert chosen.users == ["anna", "ben"]
    assert chosen.items == ["a", "b", "c", "zz"]
    assert chosen.listed.tolist() == [True, True, False, False]
    assert choices.user_count == 3
    pairs = zip(choices.users.tolist(), choices.items.tolist(), _baskets(choices), strict=True)
    assert [*pairs] == [(0, 0, 0), (0, 1, 0), (2, 0, 1), (2, 2, 1), (1, 3, 2)]
    assert kept(chosen.found, spec) == look_at(table_rules(spec)) == COUNTS
    items = read_entities(spec, "items")
    assert items.keys.to_pylist() == ["a", "b"]
    assert items.columns["price"].to_pylist() == ["2.50", "3.00"]


def _baskets(choices: Interactions) -> list[int]:
    assert choices.baskets is not None
    return [*map(int, choices.baskets)]


def test_events_have_the_place_of_their_kind_and_everything_stays_without_refunds(tmp_path: Path) -> None:
    orders = "order,user,sku,at,kind,quantity\n1,anna,a,1,buy,1\n,anna,b,2,view,0\n,ben,a,3,cart,\n1,ben,b,4,buy,0\n"
    label = {"column": "kind", "choice": ["buy", "cart", "view"]}
    spec = load_spec(shop(tmp_path, orders, label=label, interactions={"basket": "order", "refunds": "quantity"}))
    choices = read_chosen(spec).choices
    assert choices.kinds is not None
    assert choices.kinds.tolist() == [0, 2, 1]  # nothing was bought in the last row
    assert _baskets(choices)[1:] == [-1, -1]
    assert look_at(table_rules(spec)).endswith("Cleaning left out 1 with an amount of 0")


@pytest.mark.parametrize("basket", [{}, {"basket": "order"}])
def test_a_refund_takes_back_what_was_bought_before_it_and_no_cart_or_view(
    tmp_path: Path, basket: dict[str, str]
) -> None:
    """All without an order's number. Left are two views, of which none was taken back, a cart and the last purchase."""
    orders = "1 buy 1, 2 cart 1, 3 cart 2, 4 view 1, 5 buy -1, 6 buy 1, 7 cart -2, 8 view 0"
    rows = "\n".join(f",anna,a,{one.replace(' ', ',')}" for one in orders.split(", "))
    label = {"column": "kind", "choice": ["buy", "cart", "view"]}
    own = {"refunds": "quantity", **basket}
    spec = load_spec(shop(tmp_path, f"order,user,sku,at,kind,quantity\n{rows}\n", label=label, interactions=own))
    chosen = read_chosen(spec)
    assert chosen.choices.times is not None
    assert chosen.choices.times.tolist() == [2, 4, 6, 8]
    assert kept(chosen.found, spec) == look_at(table_rules(spec))
    assert "Cleaning left out 2 as refunds, 2 as taken back by refunds" in kept(chosen.found, spec)


KEY = "write missing_keys: drop under `interactions` (or one_time, if a `basket` says what came together)"
WITHOUT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "day first": (
        {"timestamp": "at"},
        [
            "orders.csv, timestamp at: 7 of 10 fields are not a time (give seconds since 1970 or",
            "): line 2 '31.03.2026 09:34', line 3 '31.03.2026 09:34', line 4",
            "and 2 more; if that is meant, write timestamp: {column: at, format: day-first}\n",
        ],
    ),
    "decimal comma": (
        {"items": {"duplicates": "drop"}},
        [
            "products.csv, number price: 4 of 4 fields are not a number: line 2 '1,50', line 3 '2,50', line 4 '3,00'",
            '; if that is meant, write decimal: "," under `items`. Correct',
        ],
    ),
    "a number that is none": (
        {"interactions": {**CLEANED["interactions"], "refunds": "status"}},
        ["number status: 7 of 10 fields are not a number: ", '; where that means missing, say missing: ["ok"]'],
    ),
    "a condition on texts that is one on numbers": (
        {"interactions": {**CLEANED["interactions"], "where": {"status": {"above": 1}}}},
        ["number status: 10 of 10 fields are", "; for texts, write `is` or `not`; where that means missing"],
    ),
    "missing keys": (
        {"interactions": {"refunds": "quantity"}},
        ["orders.csv, key user: 4 of 10 fields are empty: line 4 '', line 5 '', line 9 '', line 10 ''; if", KEY],
    ),
    "duplicates": (
        {"items": {"decimal": ","}},
        ["products.csv has 2 rows (lines 2, 3) with the sku 'a'. ", "or write `duplicates: drop` under `items`."],
    ),
    "an event that is not listed": (
        {"label": {"column": "status", "choice": ["ok"]}, "interactions": {"missing_keys": "drop"}},
        [
            "orders.csv, label status: 1 of 10 fields is none of the events of `choice`: line 11 'test'; if that",
            "write where: {status: {is: [ok]}} under `interactions`",
        ],
    ),
}


@pytest.mark.parametrize("quirk", WITHOUT)
def test_a_quirk_without_its_line_is_refused_with_the_line_that_mends_it(tmp_path: Path, quirk: str) -> None:
    changes, reasons = WITHOUT[quirk]
    with pytest.raises(DatasetError) as caught:
        look_at(table_rules(load_spec(shop(tmp_path, MESSY, QUIRKY, **{**CLEANED, **changes}))))
    assert [reason for reason in reasons if reason not in str(caught.value)] == [], str(caught.value)


def test_the_format_of_a_time_is_told_by_the_values_alone(tmp_path: Path) -> None:
    either = ["day-first", "month-first"]
    for dates, other, formats in (
        ("01/31/2026", "01/02/2026", ["month-first"]),
        ("01/12/2026", "01/02/2026", either),
        ("1769853600000", "1769853600001", ["milliseconds"]),
        ("1769853600000000", "1769853600000001", ["microseconds"]),
    ):
        orders = ORDERS.replace("a,1,1", f"a,{dates},1").replace("b,2,2", f"b,{other},2").replace("a,3,", f"a,{other},")
        with pytest.raises(MalformedRowError) as caught:
            look_at(table_rules(load_spec(shop(tmp_path, orders))))
        lines = [f"timestamp: {{column: at, format: {one}}}" for one in formats]
        assert f"if that is meant, write {' or '.join(lines)}. Correct" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"interactions": {"where": {"quantity": {"above": 9}}}},
            "orders.csv: `where` of the dataset config leave none",
        ),
        (
            {"items": {"where": {"sku": {"is": ["d"]}}}},
            "products.csv: `where` of the dataset config leave none of its 2",
        ),
        (
            {"interactions": {"missing_keys": "drop"}, "missing": ["anna", "ben"]},
            "`missing_keys` of the dataset config leave none of its 3 rows (Cleaning left out 3 of the inter",
        ),
        ({"interactions": {"where": {"at": {"above": 1}, "sku": {"above": 0}}}}, "number sku: 3 of 3 fields are no"),
        ({"items": {"where": {"stock": {"above": 0}}}}, "products.csv has no column 'stock', only sku, price, at"),
        ({"interactions": {"basket": "cart", "refunds": "sum"}}, "orders.csv has no column 'cart', only order, user"),
    ],
)
def test_a_line_that_leaves_nothing_or_names_no_column_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    spec = load_spec(shop(tmp_path, **changes))
    for reading in (lambda: look_at(table_rules(spec)), lambda: read_chosen(spec)):
        with pytest.raises(DatasetError) as caught:
            reading()
        assert reason in str(caught.value)


def test_a_look_counts_the_refunds_that_training_counts(tmp_path: Path) -> None:
    """Those of Ben, who is not in the table of users, are none. Anna returned what she bought, 0.1 and 0.2."""
    orders = "order,user,sku,at,quantity\n1,anna,a,1,0.1\n2,anna,a,2,0.2\n3,anna,a,3,-0.3\n4,anna,b,4,1\n"
    (tmp_path / "users.csv").write_text("user\nanna\n")
    changes: dict[str, Any] = {"interactions": {"refunds": "quantity"}, "users": {"path": "users.csv"}}
    spec = load_spec(shop(tmp_path, f"{orders}5,ben,a,5,1\n6,ben,a,6,-1\n", **changes))
    said = look_at(table_rules(spec))
    assert "Cleaning left out 1 as refunds, 2 as taken back by refunds" in said
    assert joined(read_chosen(spec).found, spec.inner) == said


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ("1 anna a 1 1, C1 anna a 2 -1, 2 anna a 3 1", [3]),  # of its own number, before the second purchase
        ("1 anna a 1 1, 2 anna a 2 1, C1 anna a 3 -1", [1]),
        ("1 anna a 1 1, 2 anna a 2 1, C1 anna a 3 -1, C2 anna a 4 -1, 3 ben a 1 1", [1]),
        ("1 anna a 1 1, 2 anna a 2 2, C1 anna a 3 -1, C1 anna a 3 -2", []),
        ("1 anna a 1 1, 2 anna a 2 2, C1 anna a 3 -1", [1, 2]),  # one of the two is kept
        ("1 anna a 1 1, 2 anna a 2 1, 1 anna a 3 -1", [2]),  # of the first order
        ("C1 anna a 1 -1, 1 anna a 2 1", [2]),
        ("1 anna a 1 1, C1 ben a 2 -1, C2 anna b 2 -1", [1]),
        ("1  a 1 1, 2  a 2 1, C1  a 3 -1", [1, 2]),  # of guests nobody knows whose it was
    ],
)
def test_a_refund_in_a_basket_of_its_own_takes_back_the_latest_purchase(
    tmp_path: Path, lines: str, times: list[int]
) -> None:
    rows = "\n".join(",".join(line.split(" ")) for line in lines.split(", "))
    own = {"refunds": "quantity", "basket": "order", "missing_keys": "one_time"}
    spec = load_spec(shop(tmp_path, f"order,user,sku,at,quantity\n{rows}\n", interactions=own))
    if not times:
        for reading in (lambda: look_at(table_rules(spec)), lambda: read_chosen(spec)):
            with pytest.raises(DatasetError, match=r"`refunds: quantity` takes back each of its 4 purchases"):
                reading()
        return
    chosen = read_chosen(spec)
    assert chosen.choices.times is not None
    assert sorted(chosen.choices.times.tolist()) == times
    assert kept(chosen.found, spec) == look_at(table_rules(spec))


def test_keys_that_differ_in_case_alone_match_by_a_rule_which_is_named(tmp_path: Path) -> None:
    assert look_at(table_rules(load_spec(shop(tmp_path, f"{ORDERS}3, ANNA,a,4,1\n3,Anna,b,4,1\n")))) == (
        "4 keys of users are 2 if case and spaces around them do not count; then write `keys: {lowercase: true, strip: "
        "true}` under `users`"
    )
    orders = ORDERS.replace(",a,", ",A ,").replace(",b,", ",B,")
    with pytest.raises(JoinError, match=r"Or write `keys: \{lowercase: true, strip: true\}` under `items`"):
        look_at(table_rules(load_spec(shop(tmp_path, orders))))
    chosen = read_chosen(load_spec(shop(tmp_path, orders, items={"keys": {"lowercase": True, "strip": True}})))
    assert chosen.items == ["a", "b"]
    assert chosen.listed.all()


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet", "csv.gz"])
def test_rows_are_left_out_whatever_the_format_is(tmp_path: Path, suffix: str) -> None:
    table = pd.read_csv(io.StringIO("user,sku,at,n\nanna,a,1,1\n,a,1,1\nben,b,2,0\nben,a,3,\nben,b,4,1.5\n"))
    match suffix.removesuffix(".gz"):
        case "jsonl":
            table.to_json(tmp_path / f"events.{suffix}", orient="records", lines=True)
        case "parquet":
            table.to_parquet(tmp_path / f"events.{suffix}")
        case _:
            table.to_csv(tmp_path / f"events.{suffix}", index=False)
    own = {"path": f"events.{suffix}", "missing_keys": "drop", "where": {"n": {"above": 0, "below": 2}}}
    chosen = read_chosen(load_spec(shop(tmp_path, interactions=own)))
    assert [chosen.users, chosen.items, len(chosen.choices)] == [["anna", "ben"], ["a", "b"], 2]
    assert {name: chosen.found[name] for name in ("outside interactions", "keyless")} == {
        "outside interactions": 2,
        "keyless": 1,
    }


def test_a_decimal_comma_is_for_files_of_text(tmp_path: Path) -> None:
    pd.DataFrame({"sku": ["a"], "price": [1.5]}).to_parquet(tmp_path / "products.parquet")
    spec = load_spec(shop(tmp_path, items={"path": "products.parquet", "decimal": ","}))
    with pytest.raises(SpecError, match=r"products\.parquet writes numbers as JSON or Parquet does"):
        table_rules(spec)


@pytest.mark.parametrize(
    ("text", "number"), [("7,78", 7.78), ("-1,5e3", -1500.0), ("8", 8.0), ("7.78", None), ("1.234,5", None)]
)
def test_a_number_with_a_decimal_comma_has_no_other_sign(text: str, number: float | None) -> None:
    rules = TableRules(source=Source(path=Path(), decimal=","), files=(), keys={}, features=[Number(name="n", at=0)])
    (check,) = checks(rules)
    assert check.is_right(text) is (number is not None)
    if number is None:
        with pytest.raises(BadRowsError):
            typed({"n": pa.array([text])}, rules)
    else:
        assert typed({"n": pa.array([text])}, rules).features["n"].tolist() == [number]


def test_a_click_model_joins_the_rows_that_cleaning_leaves(tmp_path: Path) -> None:
    """Item c, which is not active, teaches too; the unknown one and Ben's row without an item are left out."""
    orders = "user,sku,at,hit\nAnna,a,01.01.2026,0\nanna,c,01.01.2026,1\nben,zz,01.01.2026,1\nben,,01.01.2026,1\n"
    changes = {**CLEANED, "label": {"column": "hit"}, "interactions": {"missing_keys": "drop"}}
    path = shop(tmp_path, orders, QUIRKY, **changes)
    rows, _ = read(TablesDataset(kind="tables", spec=path))
    assert rows[["label", "price"]].to_numpy().tolist() == [[0, 2.5], [1, 4.0]]
    spec = load_spec(path)
    assert read_entities(spec, "items").keys.to_pylist() == ["a", "b"]
    assert look_at(table_rules(spec)) == (
        "2 of 3 interactions have a known item; dropped: 1 whose item is not in the table of items. Cleaning left out "
        "1 of the interactions for lack of a key, 1 of the items because their key is repeated. It changed how keys "
        "are spelled: 1 in the interactions"
    )


def test_events_of_a_key_that_is_spelled_in_two_ways_make_one_row(tmp_path: Path) -> None:
    orders = "user,sku,at,hit\nAnna,a,1,0\nanna,a,2,1\nanna,b,3,0\n"
    changes: dict[str, Any] = {"label": {"column": "hit"}, "users": {"keys": {"lowercase": True}}}
    rows, _ = read(TablesDataset(kind="tables", spec=shop(tmp_path, orders, one_row_per=["user", "sku"], **changes)))
    assert sorted(rows[["label", "price"]].to_numpy().tolist()) == [[0, 2.5], [1, 1.5]]


def test_a_condition_that_leaves_no_item_to_recommend_beside_a_click_model_is_named(tmp_path: Path) -> None:
    orders = "user,sku,at,hit\nanna,a,1,0\nanna,b,1,1\n"
    changes: dict[str, Any] = {"label": {"column": "hit"}, "items": {"where": {"price": {"above": 9}}}}
    with pytest.raises(DatasetError, match=r"products\.csv: `where` of the dataset config leave none of its 2 rows"):
        read_chosen(load_spec(shop(tmp_path, orders, **changes)))


@pytest.mark.parametrize("texts", ["true", "True", "TRUE"])
def test_a_condition_on_true_holds_however_a_file_writes_it(texts: str) -> None:
    source = Source.model_validate({"path": "", "where": {"n": {"not": [True]}}})
    rules = TableRules(source=source, files=(), keys={})
    assert cleaned({"n": pa.array([texts, "False", ""])}, rules)[0]["n"].to_pylist() == ["False", ""]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"above": 1}, "2 3"),
        ({"at_least": 1, "below": 3}, "1 2"),
        ({"at_most": 2, "not": ["1"]}, "0 2"),
        ({"is": [1, "2"]}, "1 2"),
        ({"is": [1.0], "not": [2.0]}, "1"),
        ({"is": ["3.0"]}, "3"),
        ({"not": [0, 1, 2]}, "3 "),
    ],
)
def test_a_condition_holds_for_these_fields_alone(condition: dict[str, Any], fits: str) -> None:
    """A field without a value, at last, fulfils only `not`."""
    source = Source.model_validate({"path": "", "where": {"n": condition}})
    rules = TableRules(source=source, files=(), keys={"key": "n"})
    left, found = cleaned({"n": pa.array(["0", "1", "2", "3", ""])}, rules)
    assert " ".join(left["n"].to_pylist()) == fits
    assert found["outside interactions"] == 5 - len(left["n"])


DAYS = [datetime(2026, 1, 31), datetime(2026, 1, 31, 5)]  # noqa: DTZ001 - as pandas writes them
LISTED: list[tuple[pa.Array, list[object], list[int], dict[str, Any]]] = [
    (pa.array(["38", "38.0", "38.5", "3."]), [38], [0, 1], {}),
    (pa.array(["38", "38.0", "38.5", "3."]), ["38", 38.5, 3], [0, 2, 3], {}),
    (pa.array(["12.50", "12.5"]), ["12.50"], [0], {}),
    (pa.array(["12.50", "12.5", "x"]), ["12.50"], [0, 1], {"features": [Number(name="n", at=0)]}),
    (pa.array(["7,78", "7,780", "7.78"]), [7.78], [0, 1], {"decimal": ","}),
    (pa.array([Decimal("12.50"), Decimal("3.00")]), [12.5, "3"], [0, 1], {}),
    (pa.array([0.1, 24.72, 3.0], pa.float32()), [0.1, 24.72], [0, 1], {}),
    (pa.array([38.5, 38.0, None]), ["38.50"], [0], {}),
    (pa.array([2**53, 2**53 + 1]), [2**53 + 1], [1], {}),
    (pa.array(DAYS), [date(2026, 1, 31)], [0], {}),
    (pa.array(DAYS, pa.timestamp("ns", "Europe/Berlin")), ["2026-01-31T06:00:00+01:00"], [1], {}),
    (pa.array([day.date() for day in DAYS]).dictionary_encode(), ["2026-01-31 00:00"], [0, 1], {}),
    (pa.array(["Anna", "ANNA", "ben", "12"]), ["anna", 12.0], [0, 1, 3], {"rule": KeyRule(lowercase=True)}),
    (pa.array(["12", "12.0", "012"]), [12], [0, 1], {"rule": AS_WRITTEN}),
]


@pytest.mark.parametrize(("fields", "listed", "fit", "more"), LISTED)
def test_a_listed_value_is_meant_as_its_column_holds_it(
    fields: pa.Array, listed: list[object], fit: list[int], more: dict[str, Any]
) -> None:
    """Texts are as they are written, numbers of every spelling, decimals and times by value, keys by their rule."""
    for word in ("is", "not"):
        where, decimal = {"n": {word: listed}}, more.get("decimal", ".")
        rules = TableRules(
            source=Source.model_validate({"path": "", "where": where, "decimal": decimal}),
            files=(),
            features=more.get("features", []),
            keys={"key": "n"} if "rule" in more else {},
            key_rules={"key": more.get("rule", AS_WRITTEN)},
        )
        left = cleaned({"n": fields, "row": pa.array(range(len(fields)))}, rules)[0]["row"].to_pylist()
        assert left == (fit if word == "is" else [row for row in range(len(fields)) if row not in fit])


def test_a_fault_is_told_among_the_rows_of_a_listed_time(tmp_path: Path) -> None:
    spec = shop(tmp_path, items={"path": "products.parquet", "where": {"added": {"is": [date(2026, 1, 31)]}}})
    added = [DAYS[0], DAYS[0], DAYS[1]]
    products = pa.table({"sku": ["a", "b", "c"], "price": ["1.5", "cheap", "dear"], "at": ["1"] * 3, "added": added})
    pq.write_table(products, tmp_path / "products.parquet")
    with pytest.raises(MalformedRowError, match=r"1 of 3 fields is not a number: row 2 'cheap'"):
        look_at(table_rules(load_spec(spec)))


def test_of_several_conditions_each_decides() -> None:
    where = {"n": {"above": 1}, "kind": {"not": ["test"]}, "m": {"is": ["x"]}}
    rules = TableRules(source=Source.model_validate({"path": "", "where": where}), files=(), keys={})
    columns = {"n": ["0", "2", "3", "4"], "kind": ["ok", "test", "ok", "ok"], "m": ["x", "x", "x", "y"]}
    left, _ = cleaned({name: pa.array(values) for name, values in columns.items()}, rules)
    assert left["n"].to_pylist() == ["3"]


def test_of_rows_with_one_key_the_latest_is_kept_or_one_that_the_order_of_rows_does_not_change(tmp_path: Path) -> None:
    """A row without a time is the earliest."""
    rows = ["a,1,7", "b,2,1", "a,3,9", "a,4,9", "b,5,0", "b,6,"]
    kept_rows = set()
    for order in (rows, rows[::-1]):
        products = "\n".join(["sku,price,at", *order])
        timed = load_spec(shop(tmp_path, products=products, items={"duplicates": "drop"}))
        found = read_entities(timed, "items")
        kept_rows.add(tuple(sorted(zip(found.keys.to_pylist(), found.columns["price"].to_pylist(), strict=True))))
    ((first, second),) = kept_rows
    assert first in {("a", "3"), ("a", "4")}
    assert second == ("b", "2")
