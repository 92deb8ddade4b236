"""Guessed dataset configs of a shop's exports: what is cleaned, which events are choices, and what cannot be used."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from tests.support import shop_exports
from tools.paths import ROOT
from training.errors import GuessError
from training.init_data.draft import to_yaml
from training.init_data.guess import guess
from training.init_data.profile import words
from training.init_data.trial import try_keys
from training.progress import Progress
from training.tables.columns import table_rules
from training.tables.files import load_spec
from training.tables.quick import look_at


def drafted(folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """The guessed config, as YAML reads it and as text."""
    text = to_yaml(guess(folder, {}, **options), folder.resolve())
    (folder / "dataset.yaml").write_text(text)
    content: dict[str, Any] = yaml.safe_load(text)
    return content, text


def written(folder: Path, **tables: str) -> Path:
    for name, content in tables.items():
        (folder / f"{name}.csv").write_text(content)
    return folder


def test_the_example_shop_is_drafted_with_all_that_cleans_it(tmp_path: Path) -> None:
    for name in ("orders.csv", "products.csv"):
        shutil.copy(ROOT / "examples/orders" / name, tmp_path)
    content, text = drafted(tmp_path)
    assert content == {
        "interactions": {
            "path": "orders.csv",
            "decimal": ",",
            "missing_keys": "one_time",
            "basket": "order_id",
            "refunds": "quantity",
        },
        "users": {"key": "customer_email", "keys": {"lowercase": True, "strip": True}},
        "items": {"path": "products.csv", "decimal": ",", "key": "sku", "duplicates": "drop"},
        "label": "positives",
        "timestamp": {"column": "ordered_at", "format": "day-first"},
        "recommend_seen": True,
        "numeric": ["price"],
        "categorical": ["category"],
    }
    # Counted in the files with pandas: see `examples/orders/make.py` for how they came there.
    assert "550 rows have no customer_email; what a guest orders together is learned from, too" in text
    assert "2 rows (lines 9, 98) with the sku '000008', and 4 more keys are repeated" in text
    assert "769 keys are 644 if case and spaces around them do not count" in text
    assert "673 of 2,821 pairs of user and item are on several days" in text


def test_a_click_stream_is_drafted_as_choices(tmp_path: Path) -> None:
    shop_exports.click_stream(tmp_path)
    content, text = drafted(tmp_path)
    assert content["interactions"] == {
        "path": "events.jsonl",
        "where": {"event": {"is": ["purchase", "add_to_cart", "product_view"]}},
        "missing_keys": "drop",
    }
    assert (content["users"], content["items"]) == ({"key": "visitor_id"}, {"key": "product_id"})
    assert content["label"] == {"column": "event", "choice": ["purchase", "add_to_cart", "product_view"]}
    assert "800 rows have no visitor_id" in text


def test_a_german_export_is_drafted(tmp_path: Path) -> None:
    shop_exports.german(tmp_path)
    content, _ = drafted(tmp_path)
    articles = {"path": "artikel.csv", "separator": ";", "encoding": "cp1252", "decimal": ",", "key": "Artikelnummer"}
    assert (content["users"], content["items"]) == ({"key": "Kundennummer"}, articles)
    assert content["timestamp"] == {"column": "Bestelldatum", "format": "day-first"}
    assert (content["label"], content["numeric"], content["categorical"]) == ("positives", ["Preis"], ["Warengruppe"])
    found = {name: words(name) for name in ("Stückzahl", "KundenNr", "Bestellnummer")}
    assert found == {"Stückzahl": ["stückzahl"], "KundenNr": ["kunden", "nr"], "Bestellnummer": ["bestell", "nummer"]}


def test_the_export_of_a_shop_system_is_drafted(tmp_path: Path) -> None:
    shop_exports.shopify(tmp_path)
    content, text = drafted(tmp_path)
    assert content["interactions"] == {"path": "orders_export.csv", "missing_keys": "one_time", "basket": "Name"}
    assert (content["users"], content["items"]) == ({"key": "Email"}, {"key": "Lineitem sku"})
    assert content["timestamp"] == "Created at"
    assert content["label"] == "positives", "of orders, true and false in a column is not an outcome"
    assert "96 rows have no Email" in text


def test_orders_in_parquet_with_integers_are_drafted(tmp_path: Path) -> None:
    shop_exports.parquet(tmp_path)
    content, _ = drafted(tmp_path)
    assert content["interactions"] == {"path": "orders.parquet", "basket": "order_id"}
    assert content["users"] == {"key": "customer_id"}
    assert content["items"] == {"path": "products.parquet", "key": "id", "interactions_key": "product_id"}
    assert (content["categorical"], content.get("numeric")) == (["room"], None)


@pytest.mark.parametrize(
    ("events", "choice"),
    [
        (["view", "purchase", "cart"], ["purchase", "cart", "view"]),
        (["pv", "fav", "buy", "cart"], ["buy", "cart", "fav", "pv"]),
        (["Kauf", "Warenkorb", "Ansicht"], ["Kauf", "Warenkorb", "Ansicht"]),
        (["view_item", "add_to_cart", "begin_checkout"], ["begin_checkout", "add_to_cart", "view_item"]),
        (["click", "buy", "click"], ["buy", "click"]),
    ],
)
def test_events_of_a_shop_are_choices_the_strongest_first(tmp_path: Path, events: list[str], choice: list[str]) -> None:
    rows = "".join(f"{n % 7},{n % 5},{events[n % 3 if len(events) == 3 else n % 4]}\n" for n in range(60))
    tree = "".join(f"{n},{n // 2}\n" for n in range(9))
    written(tmp_path, log=f"visitorid,itemid,what\n{rows}", tree=f"categoryid,parent\n{tree}")
    content, _ = drafted(written(tmp_path, kinds="what,kind\n" + "".join(f"{one},x\n" for one in {*events})))
    assert (content["users"], content["items"]) == ({"key": "visitorid"}, {"key": "itemid"}), "no category is a user"
    assert content["label"] == {"column": "what", "choice": choice}
    assert "where" not in content["interactions"]


@pytest.mark.parametrize(
    ("row", "last", "expected", "said"),
    [
        ("2026-01-0{day},{flag},1", ",,,,2400", {"timestamp": "at", "label": "positives"}, "and 1 row has no item"),
        (
            '"Jan 0{day}, 2026",{flag},1',
            "u1,i1,2026-01-01,0,1",
            {"timestamp": None},
            "at (log.csv): named like a time, but 'Jan 01, 2026' is not one that can be read: write it like 2026-01-31",
        ),
        ("{day},{flag},1", "u1,i1,,,1", {"timestamp": None}, "at (log.csv): named like a time, but '1' is not one"),
        ("2026-01-0{day},{flag},1", "u1,i1,,0,1", {"timestamp": None}, "at (log.csv): a time that 1 row lacks: fill"),
        (
            "2026-01-0{day},{flag},{event}",
            "u1,,,,page_view",
            {"timestamp": "at", "label": {"column": "what", "choice": ["purchase", "add_to_cart", "view_item"]}},
            "no purchase, cart or view of an item: page_view",
        ),
    ],
)
def test_rows_without_keys_decide_on_nothing(
    tmp_path: Path, row: str, last: str, expected: dict[str, object], said: str
) -> None:
    """Nor does a flag, or a time that can't be read, which is named instead."""
    events = ("purchase", "view_item", "add_to_cart")
    rows = [f"u{n % 7},i{n % 5},{row.format(day=1 + n % 9, flag=n % 2, event=events[n % 3])}" for n in range(60)]
    content, text = drafted(written(tmp_path, log="\n".join(["user_id,item_id,at,is_gift,what", *rows, last]) + "\n"))
    assert {name: content.get(name) for name in expected} == expected
    assert said in text
    look_at(table_rules(load_spec(tmp_path / "dataset.yaml")))


def test_keys_that_differ_by_accident_are_not_made_one(tmp_path: Path) -> None:
    """One pair among 300 keys is no rule, and among e-mail addresses it is one."""
    keys = [f"k{n}" for n in range(299)] + ["K7"]
    rows = "".join(f"{key},i{n % 5}\n{key},i{n % 3}\n" for n, key in enumerate(keys))
    content, _ = drafted(written(tmp_path, log=f"user_id,item_id\n{rows}"))
    assert content["users"] == {"key": "user_id"}
    content, _ = drafted(written(tmp_path, log=f"user_id,item_id\n{rows.replace(',', '@x.org,')}"))
    assert content["users"] == {"key": "user_id", "keys": {"lowercase": True}}


def test_titles_are_not_split_into_categories(tmp_path: Path) -> None:
    names = [
        f"{kind} {size}" for kind in ("Tea", "Pot", "Cup", "Mug", "Jug") for size in ("small", "large", "round", "oval")
    ]
    rows = "".join(f"p{n},{name},{name.split()[0]} {'new' if n % 2 else 'old'}\n" for n, name in enumerate(names * 2))
    log = "".join(f"u{n % 7},p{n % 40}\n" for n in range(80))
    content, text = drafted(written(tmp_path, log=f"user,product_id\n{log}", products=f"product_id,title,tags\n{rows}"))
    assert content["categorical"] == ["title", {"column": "tags", "separator": " "}]
    assert "title # products.csv: 20 different values" in text


def test_what_comes_again_on_another_day_is_recommended_again_without_refunds(tmp_path: Path) -> None:
    """Of ten pairs one comes again; of the other log's ten, one is sent back on another day."""
    log = [f"u{n},i{n % 5},2026-03-0{1 + n % 9},1,{'paid' if n else 'Cancelled'}" for n in range(10)]
    for again, quantity in (("2026-04-01", 1), ("2026-04-01", -1), ("2026-03-01", 1)):
        rows = [*log, f"u0,i0,{again},{quantity},paid", f"u1,i1,2026-03-02,{-2 if quantity > 0 else 2},paid"]
        content, text = drafted(written(tmp_path, log="\n".join(["user_id,item_id,at,quantity,state", *rows]) + "\n"))
        assert "\n  where: {state: {not: [Cancelled]}} # nobody kept what was in these rows: 1 Cancelled\n" in text
        assert content.get("recommend_seen", False) is (again == "2026-04-01" and quantity > 0)
        assert content["interactions"]["refunds"] == "quantity"


@pytest.mark.parametrize(
    ("products", "problem"),
    [
        (
            "p1,a\np1,b\np2,c\np2,d\np2,e\n",
            r"products\.csv has 2 rows \(lines 2, 3\) with the sku 'p1', and 1 more key is",
        ),
        ("p1,a\n,b\n,c\np2,d\n", r"2 of 4 rows of products\.csv have no sku"),
        (
            "1,a\n2,b\n3,c\n",
            r"Too few sku such as 'p0', 'p1', 'p2' are among the sku of products\.csv such as '1', '2', '3'\.",
        ),
    ],
)
def test_what_keeps_two_tables_apart_is_named(tmp_path: Path, products: str, problem: str) -> None:
    orders = "".join(f"u{n % 4},p{n % 3}\n" for n in range(24))
    folder = written(tmp_path, orders=f"who,sku\n{orders}", products=f"sku,colour\n{products}")
    with pytest.raises(GuessError, match=problem):
        guess(folder, {})
    content, text = drafted(folder, keys={"users": "who", "items": "sku"})
    assert (content["users"], content["items"]) == ({"key": "who"}, {"key": "sku"}), "what is told is enough"
    assert "one row for each user or item: products.csv" in text


def test_a_table_with_few_of_the_users_is_not_used_unless_it_is_told(tmp_path: Path) -> None:
    """Nor is a column of quantities a key, which are all among the keys."""
    rows = "".join(f"{n % 24 + 1},{n % 7 + 1},1,{n % 7 + 1}.5\n" for n in range(96))
    products = "PRODUCT_ID,BRAND,PRICE\n" + "".join(f"{n},{'ab'[n % 2]},{n}.5\n" for n in range(1, 8))
    homes = "AGE,household_key\n" + "".join(f"{n % 2},{n}\n" for n in range(1, 25, 3))
    folder = written(tmp_path, log=f"household_key,PRODUCT_ID,QUANTITY,PRICE\n{rows}", products=products, homes=homes)
    content, text = drafted(folder)
    assert content["users"] == {"key": "household_key"}
    assert content["items"] == {"path": "products.csv", "key": "PRODUCT_ID"}
    assert "homes.csv has 33% of these keys, and is not used: rows of the others would be dropped" in text
    told = to_yaml(guess(folder, {"users": folder / "homes.csv"}), folder)
    assert yaml.safe_load(told)["users"] == {"path": "homes.csv", "key": "household_key"}
    assert "33% of the interactions' keys are among them, and rows of the others are dropped" in told


def test_keys_can_be_told(tmp_path: Path) -> None:
    rows = "".join(f"{n % 9},{n % 7},{n % 2}\n" for n in range(63))
    folder = written(tmp_path, log=f"who,what,clicked\n{rows}")
    content, _ = drafted(folder, keys={"users": "who", "items": "what"})
    assert (content["users"], content["items"]) == ({"key": "who"}, {"key": "what"})
    with pytest.raises(GuessError, match=r"--user-key and --item-key name the same column, 'who'\. Give"):
        guess(folder, {}, keys={"users": "who", "items": "who"})
    with pytest.raises(GuessError, match=r"column 'whom', which --user-key names: log\.csv has who, what, clicked"):
        guess(folder, {}, keys={"users": "whom"})
    with pytest.raises(
        GuessError, match=r"among: who, what, clicked\. Name it with --label COLUMN, or, .* --user-key COLUMN"
    ):
        guess(folder, {}, "positives")
    written(folder, nine="nr,city\n" + "".join(f"{n},c{n}\n" for n in range(9)))
    with pytest.raises(GuessError, match=r"Only small numbers link who to the nr of nine\.csv; say with --users FILE"):
        guess(folder, {})
    assert guess(folder, {"users": folder / "nine.csv"}).roles.links["users"].foreign_key == "who"


def test_orders_in_two_files_have_to_be_in_a_folder(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 9},p{n % 7},2026-01-{1 + n % 28:02d}\n" for n in range(63))
    folder = written(tmp_path, y2025=f"user_id,product_id,at\n{rows}", y2026=f"user_id,product_id,at\n{rows}")
    problem = rf"y2025\.csv and y2026\.csv have the same columns\. .* a folder of their own in {folder}\."
    with pytest.raises(GuessError, match=problem):
        guess(folder, {})
    written(folder, products="product_id,price\n" + "".join(f"p{n},{n}\n" for n in range(7)))
    with pytest.raises(GuessError, match=problem):
        guess(folder, {})
    assert guess(folder, {"interactions": folder / "y2026.csv"}).roles.interactions.path.name == "y2026.csv"
    orders = folder / "orders"
    orders.mkdir()
    for name in ("y2025.csv", "y2026.csv"):
        (folder / name).rename(orders / name)
    assert guess(folder, {}).roles.interactions.path == orders


def test_keys_are_tried_beside_a_rule_and_a_decimal_comma(tmp_path: Path) -> None:
    """The key with a rule is no feature; the sample has the users and prices of the files."""
    clicks = "".join(f"{'Uu'[n % 2]}{n % 40},p{n % 13},{n * 7 % 3 % 2}\n" for n in range(2000))
    users = "user_id,age\n" + "".join(f"u{n},{n % 20 + 20}\n" for n in range(40))
    products = "product_id,price\n" + "".join(f'p{n},"{n % 5},5"\n' for n in range(13))
    folder = written(tmp_path, log=f"user_id,product_id,clicked\n{clicks}", users=users, products=products)
    content, text = drafted(folder)
    assert content["users"]["keys"] == {"lowercase": True}
    assert [*guess(folder, {}).keys] == ["product_id"]
    spec, trial = folder / "dataset.yaml", folder / "trial"
    spec.write_text(text)
    trial.mkdir()
    assert try_keys(load_spec(spec), ["product_id"], folder=trial, progress=Progress(io.StringIO())) is not None
    assert parquet.read_table(trial / "users.parquet").num_rows == 40
    assert parquet.read_table(trial / "items.parquet")["price"][1].as_py() == "1.5"
