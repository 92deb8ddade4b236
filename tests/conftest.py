"""What is dear to make and serves many tests: one Spark, small bundles, an empty registry."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from training.runtime import jars_folder

if TYPE_CHECKING:
    # Imported where they are needed: they take seconds, in each process of the tests before its first one.
    from pyspark.sql import SparkSession

    from tests.support.bundles import MakeBundle

# Each test's Spark lives for seconds: compiling its code thoroughly would cost more than the code then saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"

JARS = jars_folder()
"""Where they are, also when the first test that needs Spark has a cache of its own."""

# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


PATHS = "tests/e2e/test_paths.py"
TRAINING = "tests/training/runs/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest in one process, so that none is left alone with it at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("engine"):
        return 1
    return 0 if item.get_closest_marker("spark") else 2


@pytest.fixture(autouse=True)
def _collected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what an engine has left: a coroutine of Pulumi's, whose end raises and has its trace formatted.

    Where another test happens to parse source at that moment, its parser fails (Python 3.11, gh-106905).
    """
    yield
    if request.node.get_closest_marker("engine"):
        gc.collect()


class Units(LoadFileScheduling):  # type: ignore[misc]  # xdist comes without types
    """`--dist=loadfile`, which deals out the tests file by file, with two exceptions.

    Whole paths live for minutes and share nothing: each is dealt out alone. The tests of training share Spark and a
    run: they stay together, as both take longer to begin than most of what is done with them.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if file == PATHS:
            return nodeid
        return TRAINING if file.startswith(TRAINING) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Units | None:
    """Deal out the tests in these units."""
    return Units(config, log) if config.getvalue("dist") == "loadfile" else None


COLLECTED = pytest.StashKey[set[str]]()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note every test that is found, before markers leave some out."""
    name = getattr(item, "originalname", item.name)
    item.config.stash.setdefault(COLLECTED, set()).add(f"{item.path.relative_to(item.config.rootpath)}::{name}")


@pytest.fixture
def collected(request: pytest.FixtureRequest) -> set[str]:
    """`path::function` of every test that was found where pytest was asked to look."""
    return request.config.stash[COLLECTED]


@pytest.fixture(scope="session")
def spark_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the session `spark`."""
    from training.streams import LOG  # noqa: PLC0415 - see above

    return tmp_path_factory.mktemp("spark") / LOG


@pytest.fixture(scope="session")
def spark(spark_log: Path) -> "Iterator[SparkSession]":
    """A local session as training itself starts it."""
    from training.engines.spark.session import spark_session  # noqa: PLC0415 - see above
    from training.parameters import TrainingParameters  # noqa: PLC0415 - see above

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZATION_JARS", str(JARS))
        session = spark_session(TrainingParameters(driver_memory_gib=2), log=spark_log)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> "MakeBundle":
    """Small bundles by seed, made once."""
    from tests.support.bundles import make_bundle  # noqa: PLC0415 - see above

    place = tmp_path_factory.mktemp("bundles")

    def bundle(seed: int) -> Path:
        path = place / str(seed)
        return path if path.exists() else make_bundle(path, rows=300, seed=seed, trees=2)

    return bundle


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that `create` made: MLflow takes a second or two for its tables."""
    from steps.local.registry import LocalRegistry  # noqa: PLC0415 - see above

    place = tmp_path_factory.mktemp("empty") / "registry"
    LocalRegistry(place).create()
    return place
