"""The image, built from its Dockerfile and run like its pod: read-only, without root, without capabilities.

The other contract tests also run against the default image, through the fixture `service`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.bundle import Bundle
from infra.workload.names import USER
from scoring.engines import EngineName
from tests.support.containers import PULLED, Image, ImageBuilder, first_process, running_container
from tests.support.recommenders import asked, items, make_recommending_bundle, ranking_recommender
from tests.support.services import RunningService, is_ready, wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

START_SECONDS = 180.0
MAX_MIB = {EngineName.LIGHTGBM: 250, EngineName.SPARK_SERVING: 1000}
"""What each target may add to its base image; stated in `docs/explanation/scoring.md`."""


@pytest.fixture(
    scope="module", params=[EngineName.LIGHTGBM, pytest.param(EngineName.SPARK_SERVING, marks=pytest.mark.spark)]
)
def engine(request: pytest.FixtureRequest) -> EngineName:
    """The scoring engine; the Dockerfile has a target for each."""
    return EngineName(request.param)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A click model and a recommender with both stages."""
    return Bundle.load(make_recommending_bundle(tmp_path_factory.mktemp("image") / "bundle", ranking_recommender()))


@pytest.fixture(scope="module")
def image(images: ImageBuilder, bundle: Bundle, engine: EngineName) -> Image:
    if engine is EngineName.SPARK_SERVING and not PULLED:
        pytest.skip("No image can be built here: this one's base with Java must be pulled")
    return images.build(bundle.path, engine)


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The image, running with one worker."""
    arguments = ["--deadline-seconds", "5", "--queue-seconds", "5"]
    with running_container(image, tmp_path_factory.mktemp("container"), arguments=arguments) as running:
        wait_until(lambda: is_ready(running), seconds=START_SECONDS)
        yield running


def test_the_image_gives_the_golden_probabilities(
    container: RunningService, bundle: Bundle, engine: EngineName
) -> None:
    assert container.client.get("/readyz").json() == {
        "status": "ready",
        "model": {"name": "clicks", "version": "7"},
        "bundle_hash": bundle.hash,
        "engine": engine,
        "key_accepted": True,
    }
    expected = [golden.probability for golden in bundle.click_model.golden]
    single = [
        container.client.post("/score", json=golden.record).json()["probability"]
        for golden in bundle.click_model.golden
    ]
    assert single == pytest.approx(expected, abs=1e-9)
    together = container.client.post(
        "/score", json={"records": [golden.record for golden in bundle.click_model.golden]}
    ).json()
    assert together["probabilities"] == pytest.approx(expected, abs=1e-9)


def test_the_image_recommends_new_items_to_the_young_and_old_ones_to_others(container: RunningService) -> None:
    answers = [asked(container, history=["d"], context={"age": age}, top=3) for age in (20, 70)]
    young, old = (items(answer) for answer in answers)
    assert young[0] == "a"
    assert set(old[:2]) == {"b", "c"}


def test_the_image_serves_as_a_user_that_can_change_nothing(container: RunningService) -> None:
    for process in [first_process(container), *first_process(container).children(recursive=True)]:
        assert process.uids() == (USER, USER, USER)
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    mounts = Path(f"/proc/{first_process(container).pid}/mountinfo").read_text().splitlines()
    (root,) = [line.split() for line in mounts if line.split()[4] == "/"]
    assert "ro" in root[5].split(",")


def test_the_image_is_no_larger_than_stated(images: ImageBuilder, image: Image, engine: EngineName) -> None:
    own = image.size - images.laid_out(images.base).size
    assert own / 2**20 < MAX_MIB[engine]


def test_the_image_s_bill_of_materials_names_its_libraries(image: Image) -> None:
    environment = image.root / "opt" / "venv"
    bill = json.loads((environment / "bill-of-materials.cdx.json").read_text())
    named = {(one["name"].replace("-", "_").lower(), one["version"]) for one in bill["components"]}
    installed = [folder.stem.split("-") for folder in environment.glob("lib/python3.*/site-packages/*.dist-info")]
    assert installed
    assert {(name.lower(), version) for name, version in installed} <= named


def test_the_image_ends_when_its_first_process_is_asked_to(image: Image, tmp_path: Path, engine: EngineName) -> None:
    workers = ["--workers", "2" if engine is EngineName.LIGHTGBM else "1"]
    with running_container(image, tmp_path, arguments=workers) as running:
        wait_until(lambda: is_ready(running), seconds=START_SECONDS)
        first_process(running).terminate()
        assert running.process.wait(30) == 0
        assert "Traceback" not in running.log_file.read_text()
