"""The bodies of `POST /recommend` and `POST /similar`."""

from functools import cache
from typing import Annotated, Literal, TypeVar

import msgspec

from features.columns import Whole
from features.schema import Schema
from scoring.model.diagnosis import decoded
from scoring.request_errors import Refusal

MOST_CHOSEN = 1_000
"""The most items of a history."""
MOST_EXCLUDED = 10_000
MOST_RECOMMENDED = 1_000
MOST_VALUES = 1_000
"""The most values of a filter."""
MOST_SHOWN_COLUMNS = 20
"""The most columns to return."""
MOST_FILTERED_COLUMNS = 10
"""The most columns to filter by."""
MOST_SHARED_COLUMNS = 3
"""The most columns of which items may share a value only so often: each of many candidates is compared by each."""
MOST_USER_COLUMNS = 1_000
"""The most columns of the user's `context`."""
MOST_PLACEMENTS = 10
MOST_PLACED = 100
"""The most items of a placement."""
MOST_ENTRIES = MOST_CHOSEN + MOST_EXCLUDED + MOST_VALUES + MOST_USER_COLUMNS + 1_000
"""No request has more in all: the last thousand are more than the placements' columns and conditions."""
MOST_CANDIDATES = 2_000
"""The most items among which those are looked for that keep to `at_most`."""

ItemKey = Annotated[
    str | Whole, msgspec.Meta(description="An item's key, as in the tables; a whole number is its text.")
]
# JSON Schema counts 3.0 as an integer, so the service does, too.
Count = Annotated[float, msgspec.Meta(ge=1, le=MOST_RECOMMENDED, multiple_of=1)]
Top = Annotated[Count, msgspec.Meta(description="How many items to return.")]
Exclude = Annotated[
    list[ItemKey], msgspec.Meta(max_length=MOST_EXCLUDED, description="Further items not to recommend.")
]
Show = Annotated[
    list[str],
    msgspec.Meta(
        max_length=MOST_SHOWN_COLUMNS,
        description="Columns of the items to return; by default those that the dataset config shows, or titles.",
    ),
]
Unset = msgspec.UnsetType
Values = Annotated[list[str | int | float], msgspec.Meta(min_length=1, max_length=MOST_VALUES)]


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an item's values must be in a column; all that is given holds."""

    min: (
        Annotated[float, msgspec.Meta(description="The lowest number; an item without a number is left out.")] | Unset
    ) = msgspec.UNSET
    max: Annotated[float, msgspec.Meta(description="The highest number, likewise.")] | Unset = msgspec.UNSET
    not_: (
        Annotated[Values, msgspec.Meta(description="Values that an item must not have; it may have none.")] | Unset
    ) = msgspec.field(default=msgspec.UNSET, name="not")


Filter = Annotated[
    dict[str, Values | Condition],
    msgspec.Meta(
        max_length=MOST_FILTERED_COLUMNS,
        description="Columns of the items with values, of which an item must have one, or with a condition; all must "
        "hold. Of a column with several values, one must match. In a column of text, a text is meant as it is written, "
        f"and a number as every text of its value; columns of numbers compare values. At most {MOST_VALUES} values in "
        "all.",
    ),
]
AtMost = Annotated[
    dict[str, Count],
    msgspec.Meta(
        max_length=MOST_SHARED_COLUMNS,
        description="Columns of the items, and how many items may share a value in each. They are looked for among "
        f"the best {MOST_CANDIDATES}.",
    ),
]


UserKey = Annotated[
    str | Whole, msgspec.Meta(description="A user's key, as in the tables; a whole number is its text.")
]
History = Annotated[
    list[ItemKey],
    msgspec.Meta(max_length=MOST_CHOSEN, description="What somebody chose, the latest last; added to the user's own."),
]
Context = Annotated[
    dict[str, str | int | float | None],
    msgspec.Meta(
        max_length=MOST_USER_COLUMNS, description="Columns of the user, as in the tables; they go before stored ones."
    ),
]
New = Annotated[
    float,
    msgspec.Meta(
        ge=0,
        le=MOST_RECOMMENDED,
        multiple_of=1,
        description="How many of the last places new items may take, which nobody has chosen or seen yet; without it "
        "as the service is set.",
    ),
]
Seen = Annotated[
    bool,
    msgspec.Meta(description="Whether to recommend what the user chose; without it as the dataset config says."),
]


Diversity = Annotated[
    float,
    msgspec.Meta(
        ge=0, le=1, description="How much an item that is like the ones above it loses; 0, the default, is nothing."
    ),
]


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of its own."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="What the response calls it.")]
    top: (
        Annotated[
            float, msgspec.Meta(ge=1, le=MOST_PLACED, multiple_of=1, description="How many items to return, else 10.")
        ]
        | Unset
    ) = msgspec.UNSET
    filter: Filter | Unset = msgspec.UNSET


Placements = Annotated[
    list[Placement],
    msgspec.Meta(
        min_length=1,
        max_length=MOST_PLACEMENTS,
        description="Several lists in place of one with `top` items: no item is in two of them, and the first gets the "
        "best. A placement's `filter` is added to the request's; for the same column its own holds.",
    ),
]
Details = Annotated[bool, msgspec.Meta(description="Whether to return what is known of the user, too.")]


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user, whose history is stored, or somebody's history, or both."""

    user: UserKey | msgspec.UnsetType = msgspec.UNSET
    history: History | msgspec.UnsetType = msgspec.UNSET
    top: Top | msgspec.UnsetType = msgspec.UNSET
    exclude: Exclude | msgspec.UnsetType = msgspec.UNSET
    show: Show | msgspec.UnsetType = msgspec.UNSET
    context: Context | msgspec.UnsetType = msgspec.UNSET
    filter: Filter | msgspec.UnsetType = msgspec.UNSET
    at_most: AtMost | msgspec.UnsetType = msgspec.UNSET
    diversity: Diversity = 0.0
    new: New | msgspec.UnsetType = msgspec.UNSET
    seen: Seen | msgspec.UnsetType = msgspec.UNSET
    details: Details | msgspec.UnsetType = msgspec.UNSET
    placements: Placements | msgspec.UnsetType = msgspec.UNSET

    def placed(self) -> "list[RecommendRequest]":
        """The request of each placement; only the first one asks for details."""
        return [
            msgspec.structs.replace(
                self,
                placements=msgspec.UNSET,
                top=one.top,
                filter=(self.filter or {}) | (one.filter or {}),
                details=self.details if number == 0 else msgspec.UNSET,
            )
            for number, one in enumerate(self.placements or ())
        ]


def keyed(request: RecommendRequest, schema: Schema) -> RecommendRequest:
    """The request with its keys as the model's dataset config has them compared."""
    if not schema.keys:
        return request
    given = {"user": request.user, "history": request.history, "exclude": request.exclude}
    changed = {
        name: [schema.key("items", key) for key in keys] if isinstance(keys, list) else schema.key("users", keys)
        for name, keys in given.items()
        if keys is not msgspec.UNSET
    }
    return msgspec.structs.replace(request, **changed)


class SimilarRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An item, to which those that the same users chose are similar, or those in the same baskets."""

    item: ItemKey
    kind: Annotated[
        Literal["chosen", "together"],
        msgspec.Meta(description="What the same users chose, or what was bought together, in one basket."),
    ] = "chosen"
    top: Top | msgspec.UnsetType = msgspec.UNSET
    exclude: Exclude | msgspec.UnsetType = msgspec.UNSET
    show: Show | msgspec.UnsetType = msgspec.UNSET
    filter: Filter | msgspec.UnsetType = msgspec.UNSET
    at_most: AtMost | msgspec.UnsetType = msgspec.UNSET

    def recommended(self) -> RecommendRequest:
        """The request of somebody who chose this item alone."""
        fields = msgspec.structs.asdict(self)
        del fields["kind"]
        return RecommendRequest(history=[fields.pop("item")], new=0, seen=False, **fields)


_Asked = TypeVar("_Asked", RecommendRequest, SimilarRequest)

_recommend, _similar = msgspec.json.Decoder(RecommendRequest), msgspec.json.Decoder(SimilarRequest)


def read_recommend(body: bytes) -> RecommendRequest:
    """The request of a `POST /recommend`; raises a `Rejection`."""
    request = _checked(_recommend, body)
    if request.user is msgspec.UNSET and request.history is msgspec.UNSET:
        raise Refusal.MISSING_FIELD("Give `user`, `history` or both.", field="user")
    if request.placements is not msgspec.UNSET and request.top is not msgspec.UNSET:
        raise Refusal.WRONG_TYPE("`top` stands beside `placements`; give each placement its own.", field="top")
    names = [one.name for one in request.placements or ()]
    if repeated := [at for at, name in enumerate(names) if name in names[:at]]:
        field = f"placements[{repeated[0]}].name"
        raise Refusal.WRONG_COUNT(f"{field} is that of a placement before it; give each its own.", field=field)
    return request


def read_similar(body: bytes) -> tuple[RecommendRequest, bool]:
    """The request of a `POST /similar`, as one to recommend, and whether it asks for what was bought together.

    Raises a `Rejection`.
    """
    request = _checked(_similar, body)
    return request.recommended(), request.kind == "together"


def _checked(decoder: "msgspec.json.Decoder[_Asked]", body: bytes) -> _Asked:
    """The request; raises a `Rejection`."""
    request = decoded(decoder.decode, body, _known(decoder.type), {b",": MOST_ENTRIES})
    filters = [request.filter]
    if isinstance(request, RecommendRequest):
        filters += [one.filter for one in request.placements or ()]
    if sum(map(_values, filters)) > MOST_VALUES:
        raise Refusal.WRONG_COUNT(f"Filters may have {MOST_VALUES} values in all; send fewer.", field="filter")
    return request


@cache
def _known(kind: type[msgspec.Struct]) -> str:
    """Says which fields a request has."""
    own, placed, condition = (", ".join(one.__struct_encode_fields__) for one in (kind, Placement, Condition))
    placements = f"; those of a placement are {placed}" if kind is RecommendRequest else ""
    return f"The request's fields are {own}{placements}; those of a condition in `filter` are {condition}."


def _values(wanted: dict[str, list[str | int | float] | Condition] | Unset) -> int:
    """How many values a filter has."""
    if wanted is msgspec.UNSET:
        return 0
    values = (one.not_ if isinstance(one, Condition) else one for one in wanted.values())
    return sum(0 if own is msgspec.UNSET else len(own) for own in values)
