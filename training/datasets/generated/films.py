"""Invented users, films and views, with known chances: who comes across which film, and who then watches it.

For each user and film there is a clock, which rings once: at an exponentially distributed moment whose rate rises with
the film's fame and the user's taste. If it rings within the 90 days of the dataset, the user comes across the film, and
watches it with a probability that depends on taste, the film's quality and the device. All are pure functions of a few
hidden numbers, so the best click model and the best order of films are known. The columns show only parts of them.

The constants were chosen so that taste matters more than fame. With the default sizes (seeds 42, 1 and 2) there are
56,000 to 60,000 views, of which 38 % were watched, and the best AUC is 0.76 to 0.79. Of the best NDCG@10, the most
popular films reach 23 to 37 %, and weights between films (EASE) 69 to 73 %. Tests check limits of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from training.parameters import FilmsDataset

VERSION = 1
"""Part of the dataset's identity; increase it with every change of the generated rows."""

USER, FILM, DEVICE = "user_id", "film_id", "device"
"""The columns that, with the hidden numbers, decide how probable it is that a film is watched."""
USERS_TOGETHER = 500
"""Users whose views are drawn at a time, from one random stream."""
THIS_YEAR = 2026
DAYS = 90
DEVICES = ("phone", "tablet", "television")
SHARES_OF_DEVICES = (0.5, 0.15, 0.35)
COUNTRIES = ("DE", "FR", "JP", "MX", "US")

VIEWS = 50.0
"""Films that a user comes across: the median, which differs by `ACTIVITY` in the logarithm."""
ACTIVITY = 0.5
DIMENSIONS = 6
"""Of the space in which films and tastes lie: genres are points in it."""
GENRES_SHARE = 0.75
"""How much of a film's and a user's place comes from genres; the rest is hidden."""
FAME, TASTE = 1.1, 1.4
"""Standard deviations of what they add to the logarithm of a clock's rate."""
INTERCEPT, LIKING, QUALITY = -1.5, 1.1, 0.6
"""The logit of the probability to watch, and the standard deviations of what taste and quality add to it."""
LONG_MINUTES, LONG_ON_PHONE = 120, -1.2
"""A film longer than that is less often watched on a phone."""
EPOCH, EPOCH_YEARS = 0.6, 12
"""How much a film from a user's youth is liked, and how many years off that still is."""

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class World:
    """u users and f films: their columns, and the hidden numbers that the views are drawn from.

    `tastes` float64[u, d] and `places` float64[f, d]: a user likes films in the direction of the taste. `ages`,
    `years` and `minutes` are int64, `genres` has each film's genres, by number, the main one first.
    """

    seed: int
    ages: Indices
    countries: Indices
    favourites: Indices
    tastes: Floats
    activity: Floats
    titles: Sequence[str]
    genres: Sequence[Sequence[int]]
    years: Indices
    minutes: Indices
    places: Floats
    fame: Floats
    quality: Floats

    def liking(self, users: Indices, films: Indices) -> Floats:
        """How much users like films, with standard deviation 1 over all pairs; both int64, broadcast together."""
        taste = np.einsum("...d,...d->...", self.tastes[users], self.places[films])
        youth = THIS_YEAR - self.ages[users] + 17
        off = (self.years[films] - youth) / EPOCH_YEARS
        liking: Floats = (taste + EPOCH * (np.exp(-(off**2)) - 0.3)) / np.hypot(1, EPOCH / 3)
        return liking

    def rates(self, users: Indices) -> Floats:
        """The rates of the clocks of `users`, int64[n], and all films, float64[n, f]: rings in the dataset's days."""
        films = np.arange(len(self.years))
        rates: Floats = np.exp(FAME * self.fame + TASTE * self.liking(users[:, None], films[None, :]))
        rates *= (self.activity[users] / rates.sum(axis=1))[:, None]
        return rates

    def watched(self, users: Indices, films: Indices, devices: Indices) -> Floats:
        """The probability to watch a film that a user comes across on a device; all int64, broadcast together."""
        logit = INTERCEPT + LIKING * self.liking(users, films) + QUALITY * self.quality[films]
        logit = logit + np.where((devices == 0) & (self.minutes[films] > LONG_MINUTES), LONG_ON_PHONE, 0.0)
        probability: Floats = 1 / (1 + np.exp(-logit))
        return probability


@dataclass(frozen=True, kw_only=True)
class Views:
    """n views in the order of users and times: numbers int64[n], `moments` float64[n] from 0 to 1, `label` int8[n]."""

    users: Indices
    films: Indices
    devices: Indices
    moments: Floats
    label: npt.NDArray[np.int8]


@lru_cache(maxsize=2)
def world(dataset: FilmsDataset) -> World:
    """The users and films of a dataset."""
    random = _random(dataset.seed, 0)
    users, films = dataset.users, dataset.films
    genres = random.standard_normal((len(GENRES), DIMENSIONS))
    genres /= np.linalg.norm(genres, axis=1, keepdims=True)
    of_films = [random.permutation(len(genres))[: random.choice([1, 2, 3], p=[0.4, 0.45, 0.15])] for _ in range(films)]
    of_users = [random.permutation(len(genres))[:2] for _ in range(users)]
    places = _places(random, genres, of_films)
    places -= places.mean(axis=0)
    tastes = _places(random, genres, of_users)
    tastes /= np.sqrt(np.mean((tastes @ places.T) ** 2))
    return World(
        seed=dataset.seed,
        ages=random.integers(16, 80, users),
        countries=random.integers(0, len(COUNTRIES), users),
        favourites=np.array([own[0] for own in of_users]),
        tastes=tastes,
        activity=VIEWS * np.exp(ACTIVITY * random.standard_normal(users)),
        titles=draw_titles(random, [int(own[0]) for own in of_films]),
        genres=[own.tolist() for own in of_films],
        years=THIS_YEAR - np.floor(random.beta(1.0, 2.5, films) * 80).astype(np.int64),
        minutes=np.clip(np.round(random.normal(108, 18, films)), 70, 200).astype(np.int64),
        places=places,
        fame=random.standard_normal(films),
        quality=random.standard_normal(films),
    )


def views(of: World, first: int) -> Views:
    """The views of `USERS_TOGETHER` users from number `first` on, or of those that there are."""
    random = _random(of.seed, 1 + first)
    users = np.arange(first, min(first + USERS_TOGETHER, len(of.ages)))
    rings = random.exponential(size=(USERS_TOGETHER, len(of.years)))[: len(users)] / of.rates(users)
    row, films = np.nonzero(rings < 1)
    moments = rings[row, films]
    order = np.lexsort((moments, row))
    row, films, moments = row[order], films[order], moments[order]
    devices = random.choice(len(DEVICES), len(row), p=SHARES_OF_DEVICES)
    label = random.random(len(row)) < of.watched(users[row], films, devices)
    return Views(users=users[row], films=films, devices=devices, moments=moments, label=label.astype(np.int8))


def true_probability(columns: Mapping[str, Any], dataset: FilmsDataset) -> Floats:
    """Each view's true probability that the film is watched, float64[n].

    `columns` maps at least `USER`, `FILM` and `DEVICE` to sequences of n texts.
    """
    device = {name: number for number, name in enumerate(DEVICES)}
    devices = np.array([device[name] for name in columns[DEVICE]], dtype=np.int64)
    return world(dataset).watched(numbers(columns[USER]), numbers(columns[FILM]), devices)


def true_chances(users: Sequence[str], films: Sequence[str], dataset: FilmsDataset) -> Floats:
    """The chance that users meet and watch films in the last quarter of the days, float64[n, m], by their keys.

    For films that they have not met before. No other order of films is better.
    """
    of, asked, offered = world(dataset), numbers(users), numbers(films)
    devices = np.arange(len(DEVICES))
    watched = of.watched(asked[:, None, None], offered[None, :, None], devices[None, None, :]) @ SHARES_OF_DEVICES
    met = -np.expm1(-of.rates(asked)[:, offered] / 4)
    chances: Floats = met * watched
    return chances


def key(letter: str, number: int) -> str:
    """The key of a user or a film: u1 is user 0."""
    return f"{letter}{number + 1}"


def numbers(keys: Sequence[str]) -> Indices:
    """The numbers of users or films, int64[n], by their keys."""
    return np.array([int(key[1:]) - 1 for key in keys], dtype=np.int64)


def _places(random: np.random.Generator, genres: Floats, of: Sequence[Indices]) -> Floats:
    """Points near the middle of their genres, the first of which counts twice."""
    middle = np.stack([(genres[own].sum(axis=0) + genres[own[0]]) / (len(own) + 1) for own in of])
    hidden = random.standard_normal(middle.shape) / np.sqrt(DIMENSIONS)
    places: Floats = GENRES_SHARE * middle + (1 - GENRES_SHARE) * hidden
    return places


def _random(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([VERSION, seed, stream])))


NOUNS = {
    "Adventure": ("Expedition", "Island", "Compass", "Caravan", "Summit", "Treasure", "Voyage", "River"),
    "Animation": ("Hedgehog", "Balloon", "Toymaker", "Snowman", "Kite", "Owl", "Robot", "Carousel"),
    "Comedy": ("Wedding", "Landlord", "Holiday", "Neighbour", "Choir", "Banquet", "Waiter", "Reunion"),
    "Crime": ("Witness", "Alibi", "Safe", "Informer", "Verdict", "Heist", "Inspector", "Ransom"),
    "Documentary": ("Glacier", "Archive", "Harvest", "Orchestra", "Reef", "Railway", "Market", "Bees"),
    "Drama": ("Daughter", "Letter", "House", "Winter", "Brother", "Promise", "Orchard", "Silence"),
    "Horror": ("Cellar", "Séance", "Doll", "Fog", "Chapel", "Mirror", "Scarecrow", "Guest"),
    "Musical": ("Melody", "Stage", "Tango", "Cabaret", "Encore", "Trumpet", "Rehearsal", "Waltz"),
    "Romance": ("Kiss", "Café", "Summer", "Garden", "Farewell", "Ballroom", "Postcard", "Bridge"),
    "Science Fiction": ("Orbit", "Colony", "Signal", "Android", "Nebula", "Airlock", "Machine", "Planet"),
    "Thriller": ("Passenger", "Code", "Shadow", "Tunnel", "Deadline", "Double", "Stranger", "Call"),
    "Western": ("Saddle", "Sheriff", "Canyon", "Stagecoach", "Ranch", "Outlaw", "Railhead", "Prairie"),
}
GENRES = tuple(NOUNS)
ADJECTIVES = (
    "Last", "Silent", "Crooked", "Golden", "Distant", "Borrowed", "Hidden", "Burning", "Second", "Forgotten",
    "Paper", "Midnight", "Broken", "Little", "Endless", "Northern", "Stolen", "Patient", "Velvet", "Seventh",
)  # fmt: skip


def draw_titles(random: np.random.Generator, genres: Sequence[int]) -> list[str]:
    """A title for each film by the number of its main genre, all different: a repeated one is a sequel."""
    drawn = dict.fromkeys(range(len(GENRES)), 0)
    orders = [random.permutation(len(ADJECTIVES) * len(NOUNS[genre])) for genre in GENRES]
    made = []
    for genre in genres:
        sequel, place = divmod(drawn[genre], len(orders[genre]))
        adjective, noun = divmod(int(orders[genre][place]), len(NOUNS[GENRES[genre]]))
        title = f"The {ADJECTIVES[adjective]} {NOUNS[GENRES[genre]][noun]}"
        made.append(f"{title} {sequel + 1}" if sequel else title)
        drawn[genre] += 1
    return made
