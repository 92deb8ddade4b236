"""The options of a local Spark."""

import subprocess
import sys

import pytest

from tools.paths import ROOT
from training.engines.spark.session import compiler_options
from training.parameters import Fit


@pytest.mark.parametrize(
    ("size", "fit", "quick"),
    [
        (24_300_000, Fit.SYNAPSEML, True),
        (243_000_000, Fit.SYNAPSEML, False),
        (243_000_000, Fit.NATIVE, True),
        (243_000_000, Fit.AUTO, True),
    ],
)
def test_java_compiles_thoroughly_where_it_sees_enough_rows_to_gain_by_it(size: int, fit: Fit, *, quick: bool) -> None:
    options = compiler_options(size, fit)
    assert ("-XX:TieredStopAtLevel=1" in options) == quick


def test_data_of_unknown_size_is_left_to_java() -> None:
    assert compiler_options(0, Fit.SYNAPSEML) == []


def test_only_synapseml_s_own_fit_imports_it() -> None:
    code = (
        "import sys; from training.engines.spark import engine, rows; from training.engines.spark.native import fit;"
        "print([name for name in sys.modules if name.partition('.')[0] == 'synapse'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
