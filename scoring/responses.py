"""The responses of the service. `/openapi.json` is generated from these types and contains their docstrings."""

from enum import StrEnum
from typing import Annotated

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1, description="The click probability.")]


class ModelName(msgspec.Struct, frozen=True, kw_only=True):
    """The model that computed the response."""

    name: str
    version: str


class ScoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The probability of one record."""

    probability: Probability
    model: ModelName


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The probabilities of several records, in their order."""

    probabilities: list[Probability]
    model: ModelName


class RankedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A ranked item, by its index in the request."""

    index: Annotated[int, msgspec.Meta(ge=0, description="The item's place in the request, from 0.")]
    id: Annotated[
        str | int | float | msgspec.UnsetType | None, msgspec.Meta(description="The item's own, if it has one.")
    ] = msgspec.UNSET
    probability: Probability


class RankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The items by descending click probability; ties keep the request's order."""

    items: list[RankedItem]
    model: ModelName


class Fallback(StrEnum):
    """What was done where a history alone did not give the items that were asked for."""

    UNKNOWN_USER = "unknown_user"
    """The user is not in the stored histories."""
    NO_HISTORIES = "no_histories"
    """The service has no stored histories, or cannot read them; its log has the reason."""
    UNKNOWN_ITEMS = "unknown_items"
    """Items of the history that the recommender does not know were left out."""
    ATTRIBUTES = "attributes"
    """No item goes with the one that was asked for, so items with the same values of columns come first."""
    POPULAR = "popular"
    """There is no history of known items, or it would not help, so the most popular items are recommended."""
    FEWER = "fewer"
    """There are fewer items left than were asked for; all of them are in the response."""


class Reason(StrEnum):
    """Why an item is recommended: `history`, whoever chose the items of `because` chose it, too; `popular`, many chose
    it; `new`, nobody chose or saw it yet; `attributes`, it shares values of columns with the items of `because`;
    `together`, it was bought together with them.

    People read a sentence, which a client makes of it in their language.
    """

    HISTORY = "history"
    POPULAR = "popular"
    NEW = "new"
    ATTRIBUTES = "attributes"
    TOGETHER = "together"


Columns = Annotated[
    dict[str, str | float | list[str]],
    msgspec.Meta(description="The columns to show that are not missing, with their types; several values are a list."),
]


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the history, by its key."""

    item: str
    columns: Columns


class RecommendedItem(msgspec.Struct, kw_only=True):
    """A recommended item, by its key."""

    item: str
    score: Annotated[
        float | None,
        msgspec.Meta(
            description="The order within this response: it has no unit, is compared with no other response, and is "
            "not for people. Null for a new item."
        ),
    ]
    probability: Annotated[
        Probability | None,
        msgspec.Meta(description="Of a click; null without a click model, or if the catalogue cannot be read."),
    ] = None
    reason: Reason
    because: Annotated[
        list[HistoryItem],
        msgspec.Meta(description="The items that are the reason; none with `popular` and `new`."),
    ]
    columns: Columns


class KnownUser(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a user, from the request and from what is stored; the most popular of the chosen items."""

    history: list[HistoryItem]
    chosen: Annotated[int, msgspec.Meta(description="How many known items were chosen.")]
    columns: Annotated[
        dict[str, str | float | None], msgspec.Meta(description="What the ranking reads; null is missing.")
    ]


class PlacedItems(msgspec.Struct, frozen=True, kw_only=True):
    """The best items of a placement that are in none before it; `fallback` is empty unless something had to be done."""

    name: str
    items: list[RecommendedItem]
    fallback: list[Fallback]


class RecommendAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The best items. `fallback` is empty unless something had to be done; with placements it has that of any."""

    items: Annotated[list[RecommendedItem], msgspec.Meta(description="Empty if the request asks for `placements`.")]
    placements: Annotated[
        list[PlacedItems] | msgspec.UnsetType, msgspec.Meta(description="If the request asks for them, in its order.")
    ] = msgspec.UNSET
    fallback: list[Fallback]
    known: Annotated[KnownUser | msgspec.UnsetType, msgspec.Meta(description="If the request asks for `details`.")] = (
        msgspec.UNSET
    )
    event_id: Annotated[str, msgspec.Meta(description="Another one for each response, to report what was shown.")]
    catalogue: Annotated[str | None, msgspec.Meta(description="The catalogue's version; null without one.")]
    model: ModelName


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature adds to the raw score."""

    feature: str
    contribution: Annotated[float, msgspec.Meta(description="In log odds; below zero it makes a click less likely.")]


class ExplainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A record's score and each feature's contribution; `average` plus all contributions equals `raw_score`."""

    probability: Probability
    raw_score: Annotated[float, msgspec.Meta(description="The log odds of the probability.")]
    average: Annotated[float, msgspec.Meta(description="The model's average raw score.")]
    contributions: Annotated[list[Contribution], msgspec.Meta(description="Every feature, the strongest first.")]
    model: ModelName


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The process is running."""

    status: str


class ReadyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The service answers: it reproduced the golden records of this bundle."""

    status: str
    model: ModelName
    bundle_hash: str
    engine: str
    key_accepted: Annotated[
        bool | msgspec.UnsetType, msgspec.Meta(description="Whether the key sent with the request is valid.")
    ] = msgspec.UNSET
