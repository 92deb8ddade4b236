"""Decimal numbers from text, as `features.values.is_number` defines them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.values import is_number


class NotNumbersError(ValueError):
    """Texts that are no numbers. Callers that know the file name their place; users never see this error."""


def numbers(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """The number in each text, float64[n], NaN for null.

    Raises `NotNumbersError` if one of them is no number that float64 can hold.
    """
    try:
        values: npt.NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _one_by_one(texts)
    # Arrow also accepts the words `nan` and `inf`.
    right = np.count_nonzero(np.isfinite(values)) == len(texts) - texts.null_count
    return values if right else _one_by_one(texts)


def _one_by_one(texts: pa.StringArray) -> npt.NDArray[np.float64]:
    """Check each distinct text by the rule itself, since Arrow's parser refuses some valid numbers, such as `+5`."""
    distinct = texts.dictionary_encode()
    words = distinct.dictionary.to_pylist()
    if wrong := [word for word in words if not is_number(word)]:
        raise NotNumbersError(f"{wrong[0]!r} is no number")
    values = np.array([*map(float, words), np.nan])
    indices: npt.NDArray[np.int64] = distinct.indices.fill_null(len(words)).to_numpy()
    return values[indices]
