"""The libraries that a bundle names: also where PySpark is no package of its own, as on Databricks."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as real

import pyspark
import pytest

from training.stages import provenance


def test_pyspark_is_named_where_no_package_of_that_name_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since Databricks Runtime 12.2 it lies in the interpreter's path without metadata (lance-format/lance#730)."""

    def version(name: str) -> str:
        if name == "pyspark":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(provenance, "version", version)
    found = provenance.library_versions()
    assert found["pyspark"] == pyspark.__version__
    assert {"lightgbm", "synapseml", "xxhash"} < set(found)
