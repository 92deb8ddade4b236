"""Makes the example beside it: `python examples/tables/make.py` writes the same three files again.

200 invented users rate 100 invented films, 3,000 times. A rating rises when the film's genre is the user's favourite,
with the film's quality, and falls with long films for those who watch on a phone; the rest is chance. Nothing in it was
taken from a real dataset.
"""

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
LONG_MINUTES = 120
GENRES = ("comedy", "crime", "drama", "romance", "thriller")
COUNTRIES = ("DE", "FR", "JP", "MX", "US")
DEVICES = ("phone", "tablet", "television")


def main() -> None:
    """Write users.csv, items.csv and interactions.csv."""
    chance = random.Random(2026)  # noqa: S311 - example data, not a secret
    users = [
        (f"u{number:03d}", chance.randint(16, 80), chance.choice(COUNTRIES), chance.choice(GENRES))
        for number in range(200)
    ]
    items = [
        (f"i{number:03d}", chance.choice(GENRES), chance.randint(75, 190), round(chance.gauss(3.2, 0.6), 2))
        for number in range(100)
    ]
    _write("users.csv", ("user_id", "age", "country", "favourite_genre"), users)
    _write("items.csv", ("item_id", "genre", "minutes", "critics_score"), items)
    _write(
        "interactions.csv",
        ("user_id", "item_id", "device", "watched_at", "rating"),
        (_interaction(chance, number, users, items) for number in range(3_000)),
    )


def _interaction(
    chance: random.Random, number: int, users: Sequence[tuple], items: Sequence[tuple]
) -> tuple[str, str, str, str, int]:
    user, _, _, favourite = chance.choice(users)
    item, genre, minutes, critics_score = chance.choice(items)
    device = chance.choice(DEVICES)
    liking = critics_score + chance.gauss(-0.6, 0.6) + (2.0 if genre == favourite else 0.0)
    if device == "phone" and minutes > LONG_MINUTES:
        liking -= 1.5
    watched_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=20 * number + chance.randint(0, 19))
    return user, item, device, watched_at.strftime("%Y-%m-%d %H:%M:%S"), min(5, max(1, round(liking)))


def _write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
