"""LightGBM is imported without its optional libraries, which stay importable for others."""

import subprocess
import sys

import pytest

CODE = """
{before}
from training.model.native import lightgbm
import sys
print(sorted({{"pandas", "sklearn"}} & sys.modules.keys()))
import pandas, sklearn
print(lightgbm.Booster.__name__, pandas.DataFrame.__name__, sklearn.__name__)
"""


@pytest.mark.parametrize(("before", "loaded"), [("", "[]"), ("import pandas", "['pandas']")])
def test_lightgbm_brings_no_pandas_and_hides_none(before: str, loaded: str) -> None:
    code = CODE.format(before=before)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == [loaded, "Booster DataFrame sklearn"]


def test_what_reads_rows_needs_neither_of_them() -> None:
    code = "import sys, training.stages.pipeline, training.engines.local.engine; print('sklearn' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False"]
