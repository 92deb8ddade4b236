"""The library versions in a bundle, also if PySpark isn't installed as a package, as on Databricks."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as real
from pathlib import Path
from typing import Any

import pyspark
import pytest

from training.spark import engine


def test_pyspark_is_listed_even_if_it_is_not_installed_as_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since Databricks Runtime 12.2 it's on the interpreter's path without metadata (lance-format/lance#730)."""

    def version(name: str) -> str:
        if name == "pyspark":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(engine, "version", version)
    nothing: Any = None
    found = engine.SparkEngine(session=nothing, log=Path()).libraries
    assert found == {"pyspark": pyspark.__version__, "synapseml": real("synapseml")}
