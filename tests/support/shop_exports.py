"""Exports of a shop as its programs write them. Users of two kinds choose items of their own kind nine times in ten."""

import csv
import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

OWN_KIND = 0.9
FIRST = datetime(2026, 1, 5, 8, 30)  # noqa: DTZ001 - a shop's own time
USERS, ITEMS, ORDERS = 120, 24, 1_200


def choices() -> Iterator[tuple[int, int, int, datetime]]:
    """The number of an order, who chose which item in it, and when: two items an order."""
    chance = random.Random(39)  # noqa: S311 - rows for a test, no secret
    for order in range(ORDERS):
        user = chance.randrange(USERS)
        for _ in range(2):
            item = 2 * chance.randrange(ITEMS // 2) + (user % 2 if chance.random() < OWN_KIND else chance.randrange(2))
            yield order, user, item, FIRST + timedelta(minutes=110 * order)


def click_stream(folder: Path) -> None:
    """JSON lines, a third of them without a visitor; a search has no product."""
    with (folder / "events.jsonl").open("w") as stream:
        for number, (_, user, item, at) in enumerate(choices()):
            event = ("purchase", "add_to_cart", *["product_view"] * 4, "search")[number % 7]
            record = {"visitor_id": f"v{user}", "event": event, "product_id": f"P-{item}", "time": at.isoformat()}
            left_out = {"visitor_id"} if number % 3 == 1 else {"product_id"} if event == "search" else set()
            stream.write(json.dumps({name: one for name, one in record.items() if name not in left_out}) + "\n")


def german(folder: Path) -> None:
    """As Excel saves them on a German Windows: semicolons, cp1252, dates with the day first, prices with a comma."""
    orders = [(f"K{user:04d}", f"{item:05d}", f"{at:%d.%m.%Y}", 1 + item % 3) for _, user, item, at in choices()]
    articles = [
        (f"{item:05d}", f"Kännchen Größe {item}", ("Küche", "Büro")[item % 2], f"{item + 3},50")
        for item in range(ITEMS)
    ]
    _write(folder / "bestellungen.csv", ["Kundennummer", "Artikelnummer", "Bestelldatum", "Menge"], orders, german=True)
    _write(folder / "artikel.csv", ["Artikelnummer", "Bezeichnung", "Warengruppe", "Preis"], articles, german=True)


def shopify(folder: Path) -> None:
    """One file, whose first line of an order has what is the same for all of it; some customers have no account."""
    header = ["Name", "Email", "Financial Status", "Paid at", "Total", "Created at", "Lineitem quantity"]
    header += ["Lineitem name", "Lineitem price", "Lineitem sku", "Lineitem requires shipping", "Vendor"]
    rows = []
    for number, (order, user, item, at) in enumerate(choices()):
        email, moment = f"c{user}@example.com" if order % 25 else "", f"{at:%Y-%m-%d %H:%M:%S} +0100"
        of_order = ["", "", ""] if number % 2 else ["paid", moment, "12.50"]
        line = [
            1 + number % 2,
            f"Mug {item}",
            f"{item}.90",
            f"MUG-{item:02d}",
            "true" if item % 3 else "false",
            "Mugs & Co",
        ]
        rows.append([f"#{1001 + order}", email, *of_order, moment, *line])
    _write(folder / "orders_export.csv", header, rows)


def parquet(folder: Path) -> None:
    """Orders and products as a warehouse writes them, with integer keys and times."""
    rows = [
        {"order_id": 5_000 + order, "customer_id": user, "product_id": item, "ordered_at": at, "quantity": 1}
        for order, user, item, at in choices()
    ]
    products = [{"id": item, "name": f"Lamp {item}", "room": ("hall", "attic")[item % 2]} for item in range(ITEMS)]
    pd.DataFrame(rows).to_parquet(folder / "orders.parquet")
    pd.DataFrame(products, index=[*range(7, 7 + ITEMS)]).to_parquet(folder / "products.parquet")


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], *, german: bool = False) -> None:
    with path.open("w", newline="", encoding="cp1252" if german else "utf-8") as stream:
        writer = csv.writer(stream, delimiter=";" if german else ",")
        writer.writerow(header)
        writer.writerows(rows)
