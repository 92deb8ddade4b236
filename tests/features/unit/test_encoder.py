from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.encoder import Encoder, EncoderError, RawRows
from features.hashing import Several
from features.schema import Schema

Tables = list[dict[int, tuple[float, float]]]
"""(rate, log count) of each hash, by column."""
HASHES = st.integers(-(1 << 63), (1 << 63) - 1)
columns = st.lists(
    st.dictionaries(HASHES, st.tuples(st.floats(0, 1, width=32), st.floats(0, 20, width=32))), min_size=1, max_size=4
)


def encoder_of(tables: Tables) -> Encoder:
    ordered = [sorted(table.items()) for table in tables]
    flat = [entry for table in ordered for entry in table]
    return Encoder(
        columns=tuple(f"column{index}" for index in range(len(tables))),
        offsets=np.cumsum([0, *map(len, tables)]).astype(np.int64),
        hashes=np.array([value for value, _ in flat], dtype=np.int64),
        rates=np.array([rate for _, (rate, _) in flat], dtype=np.float32),
        log_counts=np.array([log_count for _, (_, log_count) in flat], dtype=np.float32),
        unseen=np.tile(np.array([-1, -2], dtype=np.float32), (len(tables), 1)),
    )


def rows_of(numeric: npt.NDArray[np.float64], *categories: npt.NDArray[np.int64] | Several) -> RawRows:
    """Rows of a schema with these columns."""
    schema = Schema(
        numeric=tuple(f"n{index}" for index in range(numeric.shape[1])),
        categorical=tuple(f"column{index}" for index in range(len(categories))),
    )
    return RawRows(schema=schema, fields=[*numeric.T, *categories])


def looked_up(encoder: Encoder, index: int, hashes: npt.NDArray[np.int64]) -> list[tuple[float, float]]:
    rate, log_count = encoder.lookup(index, encoder.place(index, hashes))
    return list(zip(rate.tolist(), log_count.tolist(), strict=True))


@given(columns, st.data())
def test_a_lookup_is_what_a_dictionary_says(tables: Tables, data: st.DataObject) -> None:
    encoder = encoder_of(tables)
    for index, table in enumerate(tables):
        known = st.sampled_from(sorted(table)) if table else HASHES
        wanted = data.draw(st.lists(known | HASHES, max_size=10))
        expected = [table.get(value, (-1.0, -2.0)) for value in wanted]
        assert looked_up(encoder, index, np.array(wanted, dtype=np.int64)) == expected


@given(columns, hnp.arrays(np.float64, (3, 2), elements=st.floats(allow_nan=True)))
def test_inputs_are_the_numbers_then_rate_and_log_count_of_each_column(
    tables: Tables, numeric: npt.NDArray[np.float64]
) -> None:
    encoder = encoder_of(tables)
    first = [min(table, default=0) for table in tables]
    hashes = np.array([first, first, [0] * len(tables)], dtype=np.int64)
    encoded = rows_of(numeric, *hashes.T).encode(encoder)
    assert encoded.shape == (3, 2 + 2 * len(tables))
    np.testing.assert_array_equal(encoded[:, :2], numeric)
    for index in range(len(tables)):
        np.testing.assert_array_equal(
            encoded[:, 2 + 2 * index : 4 + 2 * index], looked_up(encoder, index, hashes[:, index])
        )


def test_several_values_stand_for_the_mean_of_their_rates_and_log_counts() -> None:
    encoder = encoder_of([{7: (0.5, 3.0)}, {1: (0.25, 1.0), 2: (0.75, 4.0)}])  # -1 and -2 of what is in no table
    several = Several(hashes=np.array([1, 2, 2, 1, 2, 3]), row=np.array([0, 0, 1, 2, 2, 2]))
    encoded = rows_of(np.empty((3, 0)), np.array([7, 7, 8]), several).encode(encoder)
    assert encoded[:, :2].tolist() == [[0.5, 3.0], [0.5, 3.0], [-1.0, -2.0]]
    assert encoded[:, 2].tolist() == [0.5, 0.75, 0.0]  # (1/4 + 3/4) / 2, 3/4, (1/4 + 3/4 - 1) / 3
    assert encoded[:, 3].tolist() == [2.5, 4.0, 1.0]  # (1 + 4) / 2, 4, (1 + 4 - 2) / 3


@given(columns)
def test_an_encoder_survives_its_files(tmp_path_factory: pytest.TempPathFactory, tables: Tables) -> None:
    bundle = tmp_path_factory.mktemp("bundle")
    encoder = encoder_of(tables)
    encoder.save(bundle)
    loaded = Encoder.load(bundle)
    assert loaded.columns == encoder.columns
    for name in ("offsets", "hashes", "rates", "log_counts", "unseen"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(encoder, name))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": np.zeros(2, dtype=np.float32)},
        {"rates": np.zeros(3)},
        {"hashes": np.zeros(3)},
        {"hashes": np.zeros((3, 1), dtype=np.int64)},
        {"offsets": np.array([0, 9, 3])},
        {"offsets": np.array([1, 2, 3])},
        {"offsets": np.array([-1, 2, 3])},
        {"offsets": np.array([0, 3])},
        {"offsets": np.empty(0, dtype=np.int64)},
        {"unseen": np.zeros((1, 2), dtype=np.float32)},
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(wrong: dict[str, npt.NDArray[Any]]) -> None:
    """The kernel in C reads them without a further look."""
    numbers = np.zeros(3, dtype=np.float32)
    right: dict[str, Any] = {
        "columns": ("city", "age"),
        "offsets": np.array([0, 2, 3]),
        "hashes": np.array([1, 2, 1]),
        "rates": numbers,
        "log_counts": numbers,
        "unseen": np.zeros((2, 2), dtype=np.float32),
    }
    Encoder(**right)
    with pytest.raises(EncoderError, match="do not fit together"):
        Encoder(**right | wrong)


@pytest.mark.parametrize("name", ["layout.json", "hashes.npy", "rates.npy", "log_counts.npy"])
@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_missing_or_broken_file_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    encoder_of([{1: (0.5, 1.0)}]).save(tmp_path)
    file = tmp_path / "encoder" / name
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(EncoderError, match=r"cannot be read.*Train the model again"):
        Encoder.load(tmp_path)
