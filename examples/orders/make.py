"""Makes the example beside it: `python examples/orders/make.py` writes the same two files again.

A shop's exports as shops have them. 700 invented customers order tea, coffee and what goes with them. Each prefers two
kinds and one size, buys some of it again, and now and then a pot or a whisk; the rest is chance. The quirks are those
of real exports: a byte order mark, dates with the day first, prices with a comma, guests without an e-mail, addresses
in capitals or with a space behind them, refunds, products that are listed twice, and one that was sold but is no longer
listed. Nothing in it was taken from a real shop.
"""

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
TEA = {"100 g": 1.0, "250 g": 2.2, "20 bags": 0.8}
COFFEE = {"250 g": 1.0, "500 g": 1.8, "1 kg": 3.3}
GOODS = {
    "Black tea": (("Darjeeling", "Assam", "Earl Grey", "Ceylon", "English Breakfast"), TEA),
    "Green tea": (("Sencha", "Jasmine", "Gunpowder", "Genmaicha", "Matcha"), TEA),
    "Herbal tea": (("Rooibos", "Peppermint", "Chamomile", "Fennel", "Lemon Verbena"), TEA),
    "Espresso": (("Napoli", "Sicilia", "Crema", "Ristretto", "Decaf"), COFFEE),
    "Filter coffee": (("House Blend", "Ethiopia", "Colombia", "Guatemala", "Kenya"), COFFEE),
    "Sweets": (("Shortbread", "Dark Chocolate", "Almond Biscuits", "Honey", "Fudge"), {"150 g": 0.8, "300 g": 1.4}),
    "Tea ware": (
        ("",),
        {"Teapot": 3.5, "Strainer": 0.9, "Bamboo Whisk": 1.6, "Tea Tin": 1.2, "Tea Cups": 2.4, "Tea Filters": 0.6},
    ),
    "Coffee ware": (
        ("",),
        {"Moka Pot": 3.2, "Grinder": 6.5, "Milk Frother": 2.6, "French Press": 3.6, "Filter Papers": 0.5},
    ),
}
KINDS = ("Black tea", "Green tea", "Herbal tea", "Espresso", "Filter coffee")
WARE = {"Espresso": "Coffee ware", "Filter coffee": "Coffee ware"}
GO_WITH = {
    "Earl Grey": "Shortbread", "Matcha": "Bamboo Whisk", "Sencha": "Tea Cups", "Peppermint": "Honey",
    "Napoli": "Moka Pot", "Crema": "Milk Frother", "Ethiopia": "Grinder", "House Blend": "Filter Papers",
    "Darjeeling": "Strainer", "Ristretto": "Dark Chocolate",
}  # fmt: skip
"""What some customers take with a product."""
NAMES = (
    "anna", "ben", "carla", "david", "elif", "finn", "greta", "hugo", "ines", "jonas",
    "klara", "lukas", "maria", "noah", "olga", "paul", "rosa", "simon", "tara", "uwe",
)  # fmt: skip
HOSTS = ("example.com", "example.org", "example.net")
FIRST_DAY = datetime(2025, 11, 1)  # noqa: DTZ001 - a shop's own time, without a zone as in its export
ORDERS = 2_350
BOUGHT_AGAIN, TAKEN_WITH_IT, REFUNDED = 0.35, 0.2, 0.04
NO_LONGER_LISTED = ("000999", "Advent Calendar", "Sweets", "24,90")
Product = tuple[str, str, str, str]
"""SKU, title, category, price."""


def main() -> None:
    """Write products.csv and orders.csv."""
    chance = random.Random(2026)  # noqa: S311 - example data, not a secret
    products = list(_products(chance))
    again = [(*products[place][:3], _comma(chance.uniform(3, 30))) for place in (7, 30, 41, 55, 80)]
    orders = Shop(chance, [*products, NO_LONGER_LISTED]).orders()
    _write("products.csv", ("sku", "title", "category", "price"), [*products, *again])
    _write("orders.csv", ("order_id", "ordered_at", "customer_email", "sku", "quantity", "unit_price"), orders)


def _products(chance: random.Random) -> Iterator[Product]:
    number = 0
    for category, (names, sizes) in GOODS.items():
        for name in names:
            price = chance.uniform(5, 12)
            for size, times in sizes.items():
                number += 1
                yield f"{number:06d}", f"{name}, {size}".removeprefix(", "), category, _comma(price * times)


class Shop:
    """The customers with their tastes, and what they have bought so far."""

    def __init__(self, chance: random.Random, products: Sequence[Product]) -> None:
        """Give every customer kinds and a size to prefer, and every product its popularity."""
        self._chance = chance
        self._customers = [f"{NAMES[number % 20]}{number // 20 or ''}@{HOSTS[number % 3]}" for number in range(700)]
        self._kinds = {one: chance.sample(KINDS, 2) for one in self._customers}
        self._size = {one: chance.randrange(3) for one in self._customers}
        self._popularity = {product[0]: chance.paretovariate(1.6) for product in products}
        self._by_kind = defaultdict[str, list[Product]](list)
        for product in products:
            self._by_kind[product[2]].append(product)
        self._bought = defaultdict[str, list[Product]](list)

    def orders(self) -> Iterator[tuple[object, ...]]:
        """The lines of all orders, in the order of their numbers."""
        chance = self._chance
        for number in range(ORDERS):
            customer = self._customers[int(len(self._customers) * chance.random() ** 1.5)]
            at = FIRST_DAY + timedelta(minutes=180 * number + chance.randint(0, 179))
            lines = [
                (sku, chance.choices((1, 2, 3), weights=(8, 2, 1))[0], price)
                for sku, _, _, price in dict.fromkeys(self._basket(customer))
            ]
            order, email = 10_000 + number, self._written(customer)
            yield from ((order, _day_first(at), email, *line) for line in lines)
            if chance.random() < REFUNDED:
                sku, quantity, price = lines[0]
                yield order, _day_first(at + timedelta(days=5)), email, sku, -quantity, price

    def _written(self, customer: str) -> str:
        """The customer's address as this order has it; guests have none."""
        forms = ("", customer.upper(), f"{customer} ", customer)
        return self._chance.choices(forms, weights=(12, 5, 1, 82))[0]

    def _basket(self, customer: str) -> Iterator[Product]:
        for _ in range(self._chance.choices((1, 2, 3, 4), weights=(5, 4, 2, 1))[0]):
            product = self._one(customer)
            if not product[2].endswith("ware"):
                self._bought[customer].append(product)
            yield product
            partner = GO_WITH.get(product[1].partition(",")[0])
            if partner and self._chance.random() < TAKEN_WITH_IT:
                yield next(one for own in self._by_kind.values() for one in own if one[1].startswith(partner))

    def _one(self, customer: str) -> Product:
        """A product bought before, or one of a preferred kind, most likely a popular one of the preferred size."""
        chance, (first, second) = self._chance, self._kinds[customer]
        if self._bought[customer] and chance.random() < BOUGHT_AGAIN:
            return chance.choice(self._bought[customer])
        kinds = (first, second, "Sweets", WARE.get(first, "Tea ware"), chance.choice(KINDS))
        own = self._by_kind[chance.choices(kinds, weights=(50, 25, 10, 7, 8))[0]]
        liked = [4.0 if place % 3 == self._size[customer] else 1.0 for place in range(len(own))]
        return chance.choices(own, [like * self._popularity[one[0]] for like, one in zip(liked, own, strict=True)])[0]


def _day_first(moment: datetime) -> str:
    return moment.strftime("%d.%m.%Y %H:%M")


def _comma(price: float) -> str:
    return f"{price:.2f}".replace(".", ",")


def _write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
