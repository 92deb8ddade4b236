"""Hidden libraries can't be imported, and only for the duration of the block."""

import importlib
import subprocess
import sys

import pytest

from training.model.unneeded import without

FIRST_USE = """
import sys
import pyarrow as pa
from training.model.unneeded import without
{before}
with without("pandas"):
    print(pa.array([1.5, None]).to_numpy(zero_copy_only=False).tolist(), "pandas" in sys.modules)
import pandas
print(pandas.DataFrame.__name__)
"""


def test_a_library_is_missing_in_the_block_and_there_again_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").__name__ == "colorsys"


@pytest.mark.parametrize(("before", "imported"), [("", "False"), ("import pandas", "True")])
def test_arrow_gives_the_same_array_without_pandas(before: str, imported: str) -> None:
    code = FIRST_USE.format(before=before)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [f"[1.5, nan] {imported}", "DataFrame"]
