"""Engine `spark-serving` behind the same HTTP front: same answers, and an end of Spark only costs time."""

import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from features.bundle import Bundle
from tests.support.services import RunningService, is_ready, run_scoring, running_service, sending, wait_until
from training.runtime import jars, java_home

START_SECONDS = 180.0


@pytest.fixture(scope="module")
def spark_service(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with engine Spark Serving; restores the environment variables afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONALIZATION_JARS", str(jars()[0].parent))
        patch.setenv("JAVA_HOME", str(java_home()))
        arguments = ["--engine", "spark-serving", "--deadline-seconds", "5", "--queue-seconds", "5"]
        folder = tmp_path_factory.mktemp("spark-service")
        with running_service(bundle.path, folder, arguments=arguments, wait_ready=False) as running:
            wait_until(lambda: is_ready(running), seconds=START_SECONDS)
            yield running


def test_synapseml_still_has_the_classes_of_spark_serving() -> None:
    """A committer called Spark Serving retired: an upgrade that drops it must fail here, not in production."""
    from synapse.ml.io import IOImplicits  # noqa: PLC0415 - patches PySpark

    names = {name for jar in jars() for name in _classes(jar)}
    for wanted in (
        IOImplicits.continuous_serving_source,
        IOImplicits.continuous_serving_sink,
        "com.microsoft.azure.synapse.ml.io.DataFrameExtensions",
    ):
        assert wanted in names


def test_the_engine_names_what_it_lacks(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERSONALIZATION_JARS", raising=False)
    ended = run_scoring("--check", "--bundle", str(bundle.path), "--engine", "spark-serving")
    assert ended.returncode == 1
    assert ended.stderr == (
        "The engine spark-serving needs SynapseML's jars. Name their folder in PERSONALIZATION_JARS.\n"
    )


@pytest.mark.full
@pytest.mark.spark
def test_spark_gives_the_golden_probabilities_one_by_one_and_together(
    spark_service: RunningService, bundle: Bundle
) -> None:
    client = spark_service.client
    assert client.get("/readyz").json()["engine"] == "spark-serving"
    for golden in bundle.click_model.golden[:10]:
        found = client.post("/score", json=golden.record).json()["probability"]
        assert found == pytest.approx(golden.probability, abs=1e-9)
    several = client.post("/score", json={"records": [golden.record for golden in bundle.click_model.golden]}).json()
    assert several["probabilities"] == pytest.approx(
        [golden.probability for golden in bundle.click_model.golden], abs=1e-9
    )


@pytest.mark.full
@pytest.mark.spark
def test_many_clients_at_once_get_their_own_answers(spark_service: RunningService, bundle: Bundle) -> None:
    golden = list(bundle.click_model.golden) * 10
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: spark_service.client.post("/score", json=one.record), golden))
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["probability"] for answer in answers] == pytest.approx(
        [one.probability for one in golden], abs=1e-9
    )


@pytest.mark.full
@pytest.mark.spark
def test_spark_answers_more_than_its_memory_would_hold(spark_service: RunningService, bundle: Bundle) -> None:
    """A call with eight records takes 12 KB there: together these calls exceed the heap."""
    java = _java(spark_service)
    records = [bundle.click_model.golden[0].record] * 1000

    def send(_: int) -> int:
        return spark_service.client.post("/score", json={"records": records}, timeout=30).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = set(pool.map(send, range(500)))
    assert statuses == {200}
    assert _java(spark_service) == java


@pytest.mark.full
@pytest.mark.spark
def test_a_spark_that_is_killed_under_load_is_replaced_not_ready_meanwhile_and_leaves_nobody_without_an_answer(
    spark_service: RunningService, bundle: Bundle
) -> None:
    with sending(spark_service, 8) as statuses:
        wait_until(lambda: len(statuses) > 100)
        _java(spark_service).kill()
        wait_until(lambda: 503 in statuses)
        wait_until(lambda: not is_ready(spark_service), seconds=20)
    assert set(statuses) == {200, 503}
    wait_until(lambda: is_ready(spark_service), seconds=START_SECONDS)
    for golden in bundle.click_model.golden[:10]:
        found = spark_service.client.post("/score", json=golden.record).json()["probability"]
        assert found == pytest.approx(golden.probability, abs=1e-9)


@pytest.mark.full
@pytest.mark.spark
def test_spark_ends_with_the_service(spark_service: RunningService) -> None:
    processes = psutil.Process(spark_service.process.pid).children(recursive=True)
    assert any("java" in process.name() for process in processes)
    spark_service.process.kill()
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def _java(service: RunningService) -> psutil.Process:
    children = psutil.Process(service.process.pid).children(recursive=True)
    return next(child for child in children if "java" in child.name())


def _classes(jar: Path) -> set[str]:
    with zipfile.ZipFile(jar) as archive:
        return {name.removesuffix(".class").replace("/", ".") for name in archive.namelist()}
