"""What comes out of the field's best-known exports, as they are downloaded: each draft passes its own check."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.exports import EXPORTS, FIRST, choices, stars, write
from tests.support.guessed_tables import described
from training.errors import GuessError

POSITIVES = "positives"
RATING = {"column": "rating", "at_least": 4}
MUST: Mapping[str, dict[str, Any]] = {
    "courses": {
        "interactions": "enrolments.csv",
        "users": {"path": "students.csv", "key": "student_id"},
        "items": {"path": "courses.csv", "key": "course_id"},
        "label": POSITIVES,
    },
    "goodbooks": {
        "interactions": "ratings.csv",
        "users": {"key": "user_id"},
        "items": {"path": "books.csv", "key": "book_id"},
        "label": RATING,
    },
    "dunnhumby": {
        "interactions": {"path": "transaction_data.csv", "basket": "BASKET_ID"},
        "users": {"key": "household_key"},
        "items": {"path": "product.csv", "key": "PRODUCT_ID"},
        "label": POSITIVES,
        "timestamp": {"column": "DAY", "format": "days"},
    },
    "olist": {
        "interactions": {
            "path": "olist_order_items_dataset.csv",
            "join": [
                {"path": "olist_orders_dataset.csv", "key": "order_id"},
                {"path": "olist_customers_dataset.csv", "key": "customer_id"},
            ],
            "basket": "order_id",
            "where": {"order_status": {"not": ["canceled"]}},
        },
        "users": {"key": "customer_unique_id"},
        "items": {"path": "olist_products_dataset.csv", "key": "product_id"},
        "label": POSITIVES,
        "timestamp": "order_purchase_timestamp",
    },
    "instacart": {
        "interactions": {
            "path": ["order_products__prior.csv", "order_products__train.csv"],
            "join": [{"path": "orders.csv", "key": "order_id"}],
            "basket": "order_id",
        },
        "users": {"key": "user_id"},
        "items": {"path": "products.csv", "key": "product_id"},
        "label": POSITIVES,
        "timestamp": {"column": "order_number", "format": "days"},
    },
    "amazon": {
        "interactions": "All_Beauty.jsonl",
        "users": {"key": "user_id"},
        "items": {"path": "meta_All_Beauty.jsonl", "key": "parent_asin"},
        "label": RATING,
        "timestamp": {"column": "timestamp", "format": "milliseconds"},
    },
    "woocommerce": {
        "interactions": {
            "path": "orders-export.csv",
            "basket": "order_id",
            "where": {"status": {"not": ["cancelled", "failed", "refunded"]}},
        },
        "users": {"key": "billing_email"},
        "items": {"key": "item_sku"},
        "label": POSITIVES,
        "timestamp": "order_date",
    },
    "shopify": {
        "interactions": {
            "path": "orders_export.csv",
            "line_breaks": True,
            "fill": {"by": "Name", "columns": ["Email", "Financial Status", "Paid at", "Created at"]},
            "missing_keys": "one_time",
            "basket": "Name",
            "where": {"Financial Status": {"not": ["refunded"]}},
        },
        "users": {"key": "Email"},
        "items": {
            "path": "products_export.csv",
            "fill": {"by": "Handle", "columns": ["Title", "Body (HTML)", "Vendor", "Type", "Tags"]},
            "key": "Variant SKU",
            "interactions_key": "Lineitem sku",
        },
        "label": POSITIVES,
        "timestamp": "Created at",
    },
    "retailrocket": {
        "interactions": "events.csv",
        "users": {"key": "visitorid"},
        "items": {"key": "itemid"},
        "label": {"column": "event", "choice": ["transaction", "addtocart", "view"]},
        "timestamp": {"column": "timestamp", "format": "milliseconds"},
    },
    "movielens": {
        "interactions": "ratings.csv",
        "users": {"key": "userId"},
        "items": {"path": "movies.csv", "key": "movieId"},
        "label": RATING,
        "timestamp": "timestamp",
    },
    "yelp": {
        "interactions": "yelp_academic_dataset_review.json",
        "users": {"path": "yelp_academic_dataset_user.json", "key": "user_id"},
        "items": {"path": "yelp_academic_dataset_business.json", "key": "business_id"},
        "label": {"column": "stars", "at_least": 4},
        "timestamp": "date",
    },
}
"""By export: which file is what, by which keys, the label and the time, as their publishers say."""

LEFT_OUT = {
    "goodbooks": ["book_tags.csv", "tags.csv", "to_read.csv", "image_url (books.csv): holds addresses"],
    "dunnhumby": [
        "campaign_table.csv",
        "coupon_redempt.csv",
        "hh_demographic.csv has 31% of these keys",
    ],
    "amazon": [
        "text, images, asin, helpful_vote, verified_purchase (All_Beauty.jsonl): with a rating as",
        "title (meta_",
    ],
    "woocommerce": ["172 cancelled, 170 failed, 170 refunded"],
    "shopify": ["48 rows have no Email", "Image Src (products_export.csv): holds addresses or HTML"],
    "retailrocket": ["category_tree.csv", "item_properties_part1.csv", "item_properties_part2.csv"],
    "movielens": ["genome-scores.csv", "genome-tags.csv", "links.csv", "tags.csv"],
    "yelp": [
        "_tip.json",
        "_checkin.json",
        "useful (yelp_academic_dataset_user.json): yelp_academic",
    ],
}
"""What a draft says of what it leaves out, beside the reason."""
ROLES = ("interactions", "users", "items", "label", "timestamp")


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_drafted_as_its_publisher_describes_it(tmp_path: Path, name: str) -> None:
    EXPORTS[name](tmp_path)
    content = described(tmp_path)
    assert {role: content[role] for role in ROLES if role in content} == MUST[name]
    text = (tmp_path / "dataset.yaml").read_text()
    assert [words for words in LEFT_OUT.get(name, []) if words not in text] == []


def test_the_statuses_that_leave_rows_out_are_counted_as_they_were_written(tmp_path: Path) -> None:
    """The factory's orders go round seven statuses, two rows each: of 1,200 rows 172 or 170 have one of them."""
    EXPORTS["woocommerce"](tmp_path)
    rows = (tmp_path / "orders-export.csv").read_text().splitlines()
    assert [sum(f",{status}," in row for row in rows) for status in ("cancelled", "failed", "refunded")] == [
        172,
        170,
        170,
    ]


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        ("user_id,item_id,birth_date,at", "u{u},i{i},1990-01-0{d},2026-01-0{d}", {"timestamp": "at"}),
        ("user_id,item_id,price", 'u{u},i{i},"1,9{u}0"', {"interactions": "log.csv"}),
        ("user_id,item_id,colour", "u{u},i{i},#ff00a{u}", {"interactions": "log.csv"}),
        ("user_id,item_id,day", "u{u},i{i},{d}", {"interactions": "log.csv"}),
    ],
    ids=["a day of birth is no time of a choice", "1,980 yen", "a colour is no basket", "few days may be of a month"],
)
def test_what_looks_like_something_else_is_not_taken_for_it(
    tmp_path: Path, columns: str, rows: str, expected: dict[str, Any]
) -> None:
    log = "".join(rows.format(u=n % 9, i=n % 7, d=1 + n % 8) + "\n" for n in range(63))
    (tmp_path / "log.csv").write_text(f"{columns}\n{log}")
    content = described(tmp_path)
    users, items = {"key": "user_id"}, {"key": "item_id"}
    assert content == {"interactions": "log.csv", "users": users, "items": items, "label": POSITIVES, **expected}


def _movielens_1m(folder: Path) -> None:
    rows = [f"{who + 1}::{what + 1}::{stars(who, what)}::{int(at.timestamp())}\n" for _, who, what, at in choices()]
    (folder / "ratings.dat").write_text("".join(rows), encoding="latin-1")


def _mind(folder: Path) -> None:
    """Impressions of news: a row's number, a user, a time, what was read before, and what was shown."""
    with (folder / "behaviors.tsv").open("w") as stream:
        for row, who, what, at in choices(again=True):
            shown = f"N{what}-{int(who % 2 == what % 2)} N{what + 1}-0"
            stream.write(f"{row + 1}\tU{who}\t{at:%m/%d/%Y %I:%M:%S %p}\tN{90 + who} N{91 + who}\t{shown}\n")


def _dump(folder: Path) -> None:
    (folder / "shop.sql").write_text("-- MySQL dump 10.13\nCREATE TABLE `orders` (`id` int NOT NULL);\n")


def _woocommerce_database(folder: Path) -> None:
    lines = [(row, row // 2, f"Mug {what}", "line_item") for row, _, what, _ in choices(again=True)]
    write(folder / "wp_woocommerce_order_items.csv", "order_item_id,order_id,order_item_name,order_item_type", lines)
    meta = [
        (3 * row + place, row, name, value)
        for row, _, what, _ in choices(again=True)
        for place, (name, value) in enumerate([("_product_id", 500 + what), ("_qty", 1), ("_line_total", "9.90")])
    ]
    write(folder / "wp_woocommerce_order_itemmeta.csv", "meta_id,order_item_id,meta_key,meta_value", meta)
    posts = [(order, f"{FIRST:%Y-%m-%d %H:%M:%S}", "wc-completed", "shop_order") for order in range(600)]
    write(folder / "wp_posts.csv", "ID,post_date,post_status,post_type", posts)
    of_posts = [(order, order, "_customer_user", order % 80) for order in range(600)]
    write(folder / "wp_postmeta.csv", "meta_id,post_id,meta_key,meta_value", of_posts)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_movielens_1m, r"ratings\.dat has '::' between fields, .* > ratings\.tsv` makes a table\."),
        (_mind, r"behaviors\.tsv list what was shown and clicked \(N\d+-[01] N\d+-0\).*impressions\.csv"),
        (
            _dump,
            r"shop\.sql is a database's dump\. .*`mysql --batch --execute 'TABLE orders' DATABASE > orders\.tsv`\.",
        ),
        (
            _woocommerce_database,
            r"SELECT order_item_id, MAX\(CASE WHEN meta_key = '_product_id' THEN meta_value END\) AS",
        ),
    ],
)
def test_an_export_that_is_no_table_stops_with_the_command_that_makes_one(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    make(tmp_path)
    with pytest.raises(GuessError, match=problem):
        described(tmp_path)


@pytest.mark.parametrize(
    ("make", "names", "label"),
    [
        (_movielens_1m, ["user_id", "item_id", "rating", "timestamp"], {"column": "rating", "at_least": 4}),
        (_mind, [], {"column": "clicked"}),
    ],
)
def test_the_command_that_is_named_makes_a_table(
    tmp_path: Path, make: Callable[[Path], None], names: list[str], label: object
) -> None:
    make(tmp_path)
    with pytest.raises(GuessError) as stopped:
        described(tmp_path)
    command = str(stopped.value).split("`")[1].replace(".venv/bin/python", sys.executable)
    for place, name in enumerate(names, 1):
        command = command.replace(f"name{place}", name)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    (tmp_path / "behaviors.tsv").unlink(missing_ok=True)
    content = described(tmp_path)
    assert content["label"] == label
    assert (content["users"], content["items"]) == ({"key": "user_id"}, {"key": "item_id"})
    assert "timestamp" in content


def _workbook(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"Notes": []}).to_excel(book, sheet_name="Empty", index=False)
        for name, table in tables.items():
            table.to_excel(book, sheet_name=name, index=False)


def _database(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    with closing(sqlite3.connect(path)) as database:
        for name, table in tables.items():
            table.assign(**{at: table[at].astype(str) for at in {"at"} & {*table}}).to_sql(name, database, index=False)


@pytest.mark.parametrize(("name", "write_tables"), [("shop.xlsx", _workbook), ("shop.db", _database)])
def test_workbooks_and_databases_become_tables_and_anew_when_they_change(
    tmp_path: Path, name: str, write_tables: Callable[[Path, Mapping[str, pd.DataFrame]], None]
) -> None:
    rows = [{"user_id": 7 + who, "item_id": 1 + what, "at": at.replace(tzinfo=None)} for _, who, what, at in choices()]
    titles = pd.DataFrame([{"item_id": 1 + what, "title": f"Mug {what}", "price": what + 0.5} for what in range(40)])
    write_tables(tmp_path / name, {"Orders": pd.DataFrame(rows), "Items": titles})
    assert described(tmp_path)["interactions"] == "shop-Orders.parquet"
    assert described(tmp_path)["items"] == {"path": "shop-Items.parquet", "key": "item_id"}
    assert described(tmp_path)["timestamp"] == "at"
    held = pd.read_parquet(tmp_path / "shop-Orders.parquet")
    assert held["user_id"].tolist() == [row["user_id"] for row in rows]
    (tmp_path / name).unlink()
    write_tables(tmp_path / name, {"Orders": pd.DataFrame(rows[:900]), "Items": titles})
    described(tmp_path)
    assert len(pd.read_parquet(tmp_path / "shop-Orders.parquet")) == 900


def test_a_workbook_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "shop.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(GuessError, match=r"shop\.xlsx cannot be read: .* Save it without a password, or"):
        described(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["shop.xlsx"]
