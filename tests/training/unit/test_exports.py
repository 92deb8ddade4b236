"""What comes out of the field's best-known exports, as they are downloaded: each draft passes its own check."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.exports import EXPORTS
from tests.support.guessed_tables import described

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


@pytest.mark.parametrize("name", MUST)
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
