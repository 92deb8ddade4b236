"""Cleaning in the dataset config: what a shop's export has, and how its lines are read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from training.config import TablesSpec, read_spec
from training.errors import SpecError

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


def shop(folder: Path, orders: str = ORDERS, products: str = PRODUCTS, **changes: object) -> Path:
    """A shop's tables in `folder`, with these changes of its config; those of a table are added to it."""
    (folder / "orders.csv").write_text(orders)
    (folder / "products.csv").write_text(products)
    tables = {name: {**SPEC[name], **one} for name, one in changes.items() if isinstance(one, dict) and name != "label"}
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({**SPEC, **changes, **tables}))
    return path


ALL_LINES: dict[str, Any] = {
    "interactions": {
        "where": {"quantity": {"above": 0, "at_most": 99}, "order": {"not": ["test", 7]}},
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
        "quantity": {"above": 0, "at_most": 99},
        "order": {"not": ["test", "7"]},
    }
    assert TablesSpec.model_validate(written) == spec
    assert hash(spec) == hash(TablesSpec.model_validate(written))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interactions": {"decimal": ";"}}, "interactions.decimal: Input should be '.' or ',', not ';'"),
        ({"interactions": {"where": ["quantity"]}}, "interactions.where: give conditions by column, as {quantity:"),
        ({"interactions": {"where": {"quantity": 0}}}, "give what quantity must be, as {above: 0}"),
        ({"interactions": {"where": {"quantity": {}}}}, "give `above`, `at_least`, `below` or `at_most` with a number"),
        ({"interactions": {"where": {"quantity": {"above": "0"}}}}, "'0'"),
        ({"interactions": {"where": {"order": {"is": [""]}}}}, "should have at least 1"),
        ({"interactions": {"missing_keys": "guests"}}, "'drop' or 'one_time', not 'guests'"),
        ({"interactions": {"missing_keys": "one_time"}}, "needs to know what was bought together: name a `basket`"),
        ({"interactions": {"refunds": "quantity"}, "label": {"column": "quantity"}}, "`refunds` is for choices"),
        ({"users": {"duplicates": "drop"}}, "`where` and `duplicates` of the users are about rows"),
        ({"items": {"duplicates": "keep"}}, "'drop'"),
        ({"items": {"keys": {"upper": True}}}, "items.keys.upper"),
        (
            {"users": {"keys": {"strip": True}}, "categorical": ["user"]},
            "user has a rule of `keys`, by which the click",
        ),
        ({"label": {"column": "kind", "choice": ["buy", "buy"]}}, "`choice` names buy again"),
        ({"label": {"column": "kind", "choice": ["buy"], "equals": 1}}, "give only one of `at_least`, `equals`, `choi"),
        ({"label": {"column": "kind", "choice": ["buy"]}, "items": None}, "`choice` is for recommendations"),
    ],
)
def test_a_cleaning_line_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec(shop(tmp_path, **changes))
    assert reason in str(caught.value)
