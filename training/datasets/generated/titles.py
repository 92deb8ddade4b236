"""Invented titles of films, whose words fit the genre."""

from collections.abc import Sequence

import numpy as np

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


def draw(random: np.random.Generator, genres: Sequence[int]) -> list[str]:
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
