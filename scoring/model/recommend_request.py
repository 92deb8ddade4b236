"""The body of `POST /recommend`."""

from typing import Annotated

import msgspec

MOST_ITEMS = 10_000
"""The most items of a history, or to exclude."""
MOST_RECOMMENDED = 1_000

ItemKey = Annotated[str | int, msgspec.Meta(description="An item's key, as in the tables; a whole number is its text.")]
Keys = Annotated[list[ItemKey], msgspec.Meta(max_length=MOST_ITEMS)]
# JSON Schema counts 3.0 as an integer, so the service does, too.
Count = Annotated[
    float, msgspec.Meta(ge=1, le=MOST_RECOMMENDED, multiple_of=1, description="How many items to return.")
]


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody's history, to recommend items that it does not hold."""

    history: Annotated[Keys, msgspec.Meta(description="The items that somebody chose, in any order.")]
    top: Count | msgspec.UnsetType = msgspec.UNSET
    exclude: Annotated[Keys, msgspec.Meta(description="Further items not to recommend.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )

    @property
    def given(self) -> int:
        """How many fields the body has."""
        return sum(value is not msgspec.UNSET for value in (self.history, self.top, self.exclude))


_decode = msgspec.json.Decoder(RecommendRequest).decode


def decode(body: bytes) -> RecommendRequest:
    """The request in a body; raises as msgspec does."""
    return _decode(body)
