"""Fixtures that are expensive to create and that many tests share: Spark, small bundles, an empty registry."""

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support import skips
from training.runtime import jars_folder

if TYPE_CHECKING:
    # The fixtures that need these import them: that takes seconds, and would delay the start of every test process.
    from pyspark.sql import SparkSession

    from tests.support.bundles import MakeBundle

# Spark sessions of the tests live for seconds: full JIT compilation would cost more time than it saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"

# Set before NumPy is imported: on small matrices OpenBLAS's threads spin while they wait for each other, and there
# are as many test processes as cores.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

JARS = jars_folder()
"""Read at import, because the first test that needs Spark may have set another cache folder."""

# By default Python looks for garbage after every 700 new objects. Importing Azure's packages and declaring a stack make
# hundreds of thousands that live on, and the searches take a quarter of the processor time.
gc.set_threshold(50_000, 20, 20)

# Durations of single examples mean nothing on a machine with other load.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


TRAINING = "tests/training/runs/"
SPARK = "pytest.mark.spark"


def pytest_configure(config: pytest.Config) -> None:
    """Judge skips in an environment of CI."""
    skips.register(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that occupy one process longest, so that none of them is left running alone at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("spark"):
        return 0
    return 1 if item.get_closest_marker("engine") else 2


@pytest.fixture(autouse=True)
def _same_cache() -> Iterator[None]:
    """Undo what a run in this process does to the cache's folder: on a cluster, each run has a process of its own."""
    before = os.environ.get("PERSONALIZE_CACHE")
    yield
    os.environ.pop("PERSONALIZE_CACHE", None)
    if before is not None:
        os.environ["PERSONALIZE_CACHE"] = before


@pytest.fixture(autouse=True)
def _collected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the garbage collector after a test with Pulumi's engine, which leaves a coroutine behind.

    Its destruction raises an exception whose traceback is formatted; if that happens while another test parses source
    code, Python 3.11's parser fails (gh-106905).
    """
    yield
    if request.node.get_closest_marker("engine"):
        gc.collect()


@cache
def _uses_spark(file: str) -> bool:
    return SPARK in Path(file).read_text(encoding="utf-8")


class Units(LoadFileScheduling):  # type: ignore[misc]  # xdist comes without types
    """`--dist=loadfile`, which distributes tests by file; the files that train on Spark share one process, because its
    session takes longer to start than most of the tests that use it.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return TRAINING if file.startswith(TRAINING) and _uses_spark(file) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Units | None:
    """Distribute tests in these units."""
    return Units(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def spark_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the session `spark`."""
    from training.streams import LOG  # noqa: PLC0415 - see above

    return tmp_path_factory.mktemp("spark") / LOG


@pytest.fixture(scope="session")
def spark(spark_log: Path) -> "Iterator[SparkSession]":
    """A local session, started the way training starts it."""
    from training.parameters import TrainingParameters  # noqa: PLC0415 - see above
    from training.spark.session import spark_session  # noqa: PLC0415 - see above

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZATION_JARS", str(JARS))
        parameters = TrainingParameters(driver_memory_gib=2)
        session = spark_session(parameters, log=spark_log, data_size=1)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> "MakeBundle":
    """Small bundles by seed, each made once."""
    from tests.support.bundles import make_bundle  # noqa: PLC0415 - see above

    place = tmp_path_factory.mktemp("bundles")

    def bundle(seed: int) -> Path:
        path = place / str(seed)
        return path if path.exists() else make_bundle(path, rows=300, seed=seed, trees=2)

    return bundle


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A registry after `create`; copied by tests, because MLflow takes seconds to be imported and to create its tables.

    The processes that tests are distributed to share one: the folder above theirs is this run's.
    """
    from steps.registry_here import LocalRegistry  # noqa: PLC0415 - see above

    own = tmp_path_factory.mktemp("empty")
    folder = own if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    with FileLock(folder / "registry.lock"):
        if not (folder / "registry").exists():
            LocalRegistry(own / "made").create()
            (own / "made").rename(folder / "registry")
    return folder / "registry"
