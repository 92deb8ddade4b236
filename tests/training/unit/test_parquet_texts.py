"""A value of a Parquet column becomes the same text, whatever else is installed."""

from datetime import timedelta

import pyarrow as pa
import pytest

from training.datasets.described.values import as_texts


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_duration_is_written_as_python_does_in_every_unit(unit: str) -> None:
    lasted = timedelta(days=1, seconds=90)
    values = pa.array([lasted, None], pa.duration("us")).cast(pa.duration(unit))
    assert as_texts(values) == ["1 day, 0:01:30", ""]
