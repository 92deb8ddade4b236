"""Data in a container on Azure: the job reads the listed files where they are, and nothing is copied to the lake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azure_clients.credentials import container
from azure_clients.lake_files import AzureLake
from azure_clients.retries import Timeout
from steps.data_upload import COMPLETE, OWNER, DataUploadOnAzure
from steps.databricks_runs import RunFailedError
from steps.training_run import TrainingRunOnAzure
from tests.simulation.fakes.runs import Run, TaskFailedError
from tests.steps.provider.azure.conftest import AZURE, BLOB, TENANT, Cloud
from tests.steps.provider.azure.test_training_run import Training
from tests.steps.provider.azure.test_training_run import inputs as training_inputs
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create
from tests.support.bundles import MakeBundle
from tools import azurite
from tools.paths import ROOT
from training.datasets import describe
from training.datasets.errors import SpecError
from training.datasets.manifest import RECORD, manifest_in
from training.datasets.placed.address import Address
from training.datasets.placed.dataset import addresses
from training.datasets.placed.in_place import covered, in_volume, volume_of, write_places
from training.datasets.placed.listing import ChangedFileError
from training.engines.reading.sources import open_source
from training.parameters import CriteoDataset, Dataset, TablesDataset

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")

VOLUMES = "/Volumes/lake_dev/training"
SHOP = Address("shoplake", "events", "shop")
ROWS = ("1\t1" + "\t" * 38 + "\n0\t2" + "\t" * 38 + "\n").encode()
DAYS = CriteoDataset(kind="criteo", path="abfss://events@shoplake.dfs.core.windows.net/logs/days", days=2)


def upload(dataset: Dataset, wanted: str) -> dict[str, Any]:
    described = {"dataset": dataset.model_dump(mode="json"), "manifest_hash": wanted}
    return {**AZURE, "registry": "ctr", "blob_endpoint": BLOB, "volumes": VOLUMES, **described}


def send(tmp_path: Path, dataset: Dataset, recorder: Recorder) -> str:
    """Take the data step; the manifest's hash."""
    wanted = describe(dataset, AzureLake()).hash
    step = DataUploadOnAzure(lambda stack: tmp_path / stack, Timeout(seconds=20, pause=0.1))
    create(step, upload(dataset, wanted), recorder)
    return wanted


def mirrored(shop: Any, folder: Address, volumes: Path) -> None:
    """Fill the folder of a volume with the container's files, as a cluster's machine sees them."""
    for blob in shop.list_blobs(name_starts_with=f"{folder.path}/"):
        target = volumes / volume_of(folder) / blob.name.removeprefix(f"{folder.path}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(shop.download_blob(blob.name).readall())


def rows(dataset: Dataset, data: Path) -> int:
    """How many rows an engine reads."""
    opened = open_source(dataset, data, lambda *_, **__: None)
    blocks = (block for piece in opened.pieces for block in piece.blocks(opened.schema))
    return sum(block.rows.num_rows for block in blocks)


def test_the_lake_gets_the_listing_and_the_config_and_no_rows(
    cloud: Cloud, tables: TablesDataset, tmp_path: Path, recorder: Recorder
) -> None:
    start = cloud.arm.faults.calls()[-1].number
    wanted = send(tmp_path, tables, recorder)
    read = [call.id for call in cloud.arm.faults.calls(start) if call.id.startswith("GET /events/")]
    assert read == []
    raw = container(TENANT, BLOB, "raw")
    names = [blob.name.rpartition("/")[2] for blob in raw.list_blobs(name_starts_with=f"files/{wanted}/")]
    assert sorted(names) == sorted([COMPLETE, OWNER, RECORD, "dataset.yaml"])
    listing = manifest_in(raw.download_blob(f"files/{wanted}/{RECORD}").readall())
    assert listing == describe(tables, AzureLake())
    text = raw.download_blob(f"files/{wanted}/dataset.yaml").readall().decode()
    assert f"{VOLUMES}/{volume_of(SHOP)}/interactions.csv" in text
    assert not list((tmp_path / STACK / "lake" / "raw").iterdir())


def test_a_table_of_a_folder_has_exactly_the_listed_files(shop: Any, tables: TablesDataset, tmp_path: Path) -> None:
    lines = (ROOT / "examples" / "tables" / "interactions.csv").read_bytes().splitlines(keepends=True)
    for day in ("day=2026-11-01", "day=2026-11-02"):
        shop.upload_blob(f"shop/events/{day}/part 0 ä.csv", b"".join(lines[:101]))
    text = tables.spec.read_text().replace("/shop/interactions.csv", "/shop/events")
    tables.spec.write_text(text + "candidates_from: positives\n" if "candidates_from" not in text else text)
    lake, copy, volumes = AzureLake(), tmp_path / "copy", tmp_path / "volumes"
    write_places(tables, copy, lake, volumes, wanted=describe(tables, lake).hash)
    shop.upload_blob("shop/events/day=2026-11-03/part-0.csv", b"".join(lines[:51]))
    mirrored(shop, SHOP, volumes)
    assert rows(tables, copy) == 200


def test_days_keep_their_names_and_the_window(shop: Any, tmp_path: Path) -> None:
    for day in (1, 9, 10):
        shop.upload_blob(f"logs/days/day_{day}.tsv", ROWS * day)
    lake, copy, volumes = AzureLake(), tmp_path / "copy", tmp_path / "volumes"
    write_places(DAYS, copy, lake, volumes, wanted=describe(DAYS, lake).hash)
    shop.upload_blob("logs/days/day_11.tsv", ROWS)
    mirrored(shop, Address("shoplake", "events", "logs"), volumes)
    assert rows(DAYS, copy) == 38


@pytest.mark.parametrize("place", ["/rows.tsv", ""])
def test_what_no_volume_can_cover_is_one_sentence(shop: Any, place: str) -> None:
    shop.upload_blob("rows.tsv", ROWS)
    dataset = CriteoDataset(kind="criteo", path=f"abfss://events@shoplake.dfs.core.windows.net{place}")
    with pytest.raises(SpecError, match=r"directly in the container .*shoplake.*Move the files into a folder"):
        covered(dataset, describe(dataset, AzureLake()))


def test_volumes_cover_the_first_folders_and_tables_are_found_in_them(tables: TablesDataset) -> None:
    assert covered(tables, describe(tables, AzureLake())) == [SHOP]
    users = addresses(tables)["users"]
    assert in_volume(users, Path(VOLUMES)) == Path(VOLUMES) / volume_of(SHOP) / "users.csv"


@pytest.fixture
def trained(
    cloud: Cloud, tables: TablesDataset, tmp_path: Path, recorder: Recorder, bundle_of: MakeBundle
) -> Callable[[Callable[[], None]], Training]:
    """Trains on the tables; the owner of the container does something while the job runs."""
    wanted = send(tmp_path, tables, recorder)
    task = Training(bundle_of(1))

    def train(meanwhile: Callable[[], None]) -> Training:
        def work(run: Run) -> str:
            meanwhile()
            return task(run)

        cloud.task.work = work
        placed = {"dataset": tables.model_dump(mode="json"), "manifest_hash": wanted}
        create(
            TrainingRunOnAzure(lambda stack: tmp_path / stack, Timeout(seconds=20, pause=0.1)),
            training_inputs(cloud, 41) | placed,
            recorder,
        )
        return task

    return train


def test_a_file_that_comes_during_the_run_is_left_for_the_next(shop: Any, trained: Any) -> None:
    task = trained(lambda: shop.upload_blob("shop/more.csv", b"rows"))
    assert [request["fetch"] for request in task.requests] == [False]


@pytest.mark.parametrize("gone", [False, pytest.param(True, marks=pytest.mark.full)])
def test_a_file_that_changes_during_the_run_ends_it(shop: Any, trained: Any, *, gone: bool) -> None:
    users = shop.download_blob("shop/users.csv").readall()

    def change() -> None:
        if gone:
            shop.delete_blob("shop/users.csv")
        else:
            shop.upload_blob("shop/users.csv", users, overwrite=True)

    with pytest.raises(ChangedFileError, match=r"shop/users\.csv changed, or was deleted, after it was listed"):
        trained(change)


def test_a_run_that_fails_since_a_file_changed_says_so(shop: Any, trained: Any) -> None:
    def change() -> None:
        shop.delete_blob("shop/items.csv")
        raise TaskFailedError("error: There is no file items.csv.")

    with pytest.raises(ChangedFileError, match=r"shop/items\.csv changed") as raised:
        trained(change)
    assert isinstance(raised.value.__context__, RunFailedError)


def test_a_file_that_changed_before_the_run_starts_no_cluster(
    cloud: Cloud, shop: Any, trained: Any, tmp_path: Path
) -> None:
    del cloud, tmp_path
    shop.upload_blob("shop/users.csv", b"other", overwrite=True)
    started: list[str] = []
    with pytest.raises(ChangedFileError, match=r"shop/users\.csv changed"):
        trained(lambda: started.append("run"))
    assert started == []
