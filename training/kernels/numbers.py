"""Decimal numbers from text, by the one rule of what a number is (`features.values.is_number`)."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.values import is_number


class NotNumbersError(ValueError):
    """Texts that are no numbers. Who knows their file says where they are, so that no user ever sees this."""


def numbers(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """The number that each text is, float64[n], NaN where it is null.

    Raises `NotNumbersError` when one of them is no number that a float64 can be.
    """
    try:
        values: npt.NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _one_by_one(texts)
    # To Arrow, the words `nan` and `inf` are numbers too.
    right = np.count_nonzero(np.isfinite(values)) == len(texts) - texts.null_count
    return values if right else _one_by_one(texts)


def _one_by_one(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """Each distinct text by the rule itself: Arrow's parser refuses some of what the rule allows, such as `+5`."""
    distinct = texts.dictionary_encode()
    words = distinct.dictionary.to_pylist()
    if wrong := [word for word in words if not is_number(word)]:
        raise NotNumbersError(f"{wrong[0]!r} is no number")
    values = np.array([*map(float, words), np.nan])
    indices: npt.NDArray[np.int64] = distinct.indices.fill_null(len(words)).to_numpy()
    return values[indices]
