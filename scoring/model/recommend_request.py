"""The body of `POST /recommend`."""

from typing import Annotated

import msgspec

MOST_ITEMS = 10_000
"""The most items of a history, or to exclude."""
MOST_RECOMMENDED = 1_000
MOST_VALUES = 1_000
"""The most values of a filter's column."""

ItemKey = Annotated[str | int, msgspec.Meta(description="An item's key, as in the tables; a whole number is its text.")]
Keys = Annotated[list[ItemKey], msgspec.Meta(max_length=MOST_ITEMS)]
# JSON Schema counts 3.0 as an integer, so the service does, too.
Count = Annotated[float, msgspec.Meta(ge=1, le=MOST_RECOMMENDED, multiple_of=1)]


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user, whose history is stored, or somebody's history, or both."""

    user: (
        Annotated[str | int, msgspec.Meta(description="A user's key, as in the tables; a whole number is its text.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    history: (
        Annotated[Keys, msgspec.Meta(description="What somebody chose, the latest last; added to the user's own.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    top: Annotated[Count, msgspec.Meta(description="How many items to return.")] | msgspec.UnsetType = msgspec.UNSET
    exclude: Annotated[Keys, msgspec.Meta(description="Further items not to recommend.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    show: (
        Annotated[
            list[str],
            msgspec.Meta(description="Columns of the items to return; without it `title` or `name`, if there is one."),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    context: (
        Annotated[
            dict[str, str | int | float | None],
            msgspec.Meta(description="Columns of the user, as in the tables; they go before stored ones."),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET

    filter: (
        Annotated[
            dict[str, Annotated[list[ItemKey], msgspec.Meta(min_length=1, max_length=MOST_VALUES)]],
            msgspec.Meta(
                description="Columns of the items with values: an item must have one of them in each column. "
                "Of a column with several values, one must match."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    at_most: (
        Annotated[
            dict[str, Count],
            msgspec.Meta(description="Columns of the items, and how many items may share a value in each."),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    seen: (
        Annotated[
            bool,
            msgspec.Meta(
                description="Whether to recommend what the user chose or saw; without it as the dataset config says."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.UNSET

    @property
    def given(self) -> int:
        """How many fields the body and its objects have."""
        named = (len(one) for one in (self.filter, self.at_most, self.context) if one is not msgspec.UNSET)
        return sum(value is not msgspec.UNSET for value in msgspec.structs.astuple(self)) + sum(named)


_decode = msgspec.json.Decoder(RecommendRequest).decode


def decode(body: bytes) -> RecommendRequest:
    """The request in a body; raises as msgspec does."""
    return _decode(body)
