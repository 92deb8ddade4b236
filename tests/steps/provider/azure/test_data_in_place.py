"""Data in a container that the stack doesn't own: listed, fetched once for each version, and watched for changes."""

from pathlib import Path
from typing import Any

import pytest

from azure_clients.lake_files import AzureLake
from steps.data_upload import DataUploadHere
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import Cloud
from tests.steps.provider.azure.examples import URL
from tests.steps.provider.conftest import STACK, Recorder
from tests.steps.provider.steps import create, state
from tools import azurite
from tools.paths import ROOT
from training.datasets import describe
from training.datasets.errors import DatasetError, EmptyDatasetError, MissingFileError, SpecError
from training.datasets.manifest import Manifest
from training.datasets.placed.address import Address
from training.datasets.placed.listing import ChangedFileError, UnreadableLakeError
from training.parameters import CriteoDataset, Dataset, TablesDataset

pytestmark = pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`")

ROWS = ("1\t1" + "\t" * 38 + "\n0\t2" + "\t" * 38 + "\n").encode()
DAYS_ADDRESS = Address("shoplake", "events", "days")
DAYS = CriteoDataset(kind="criteo", path=f"{URL}/days")


def inputs(dataset: Dataset, manifest: Manifest) -> dict[str, Any]:
    return {
        "stack": STACK,
        "registry": "ctr",
        "dataset": dataset.model_dump(mode="json"),
        "manifest_hash": manifest.hash,
    }


def step(tmp_path: Path) -> DataUploadHere:
    return DataUploadHere(lambda stack: tmp_path / stack)


def reads(cloud: Cloud, since: int) -> list[str]:
    """The files that were fetched, without listings."""
    calls = [call.id for call in cloud.arm.faults.calls(since)]
    return [call.removeprefix("GET /events/") for call in calls if call.startswith("GET /events/")]


def last(cloud: Cloud) -> int:
    return cloud.arm.faults.calls()[-1].number


def test_tables_are_identified_by_their_listing_and_fetched_once(
    cloud: Cloud, shop: Any, tables: TablesDataset, tmp_path: Path, recorder: Recorder
) -> None:
    start = last(cloud)
    planned = describe(tables, AzureLake())
    assert reads(cloud, start) == []
    assert describe(tables, AzureLake()) == planned
    first = create(step(tmp_path), inputs(tables, planned), recorder)
    copy = tmp_path / STACK / first.outputs.location
    for name in ("interactions", "users", "items"):
        assert (copy / f"{name}.csv").read_bytes() == (ROOT / "examples" / "tables" / f"{name}.csv").read_bytes()
    users = (copy / "users.csv").read_bytes()
    shop.upload_blob(
        "shop/users.csv", users + users.splitlines(keepends=True)[-1].replace(b"u", b"v", 1), overwrite=True
    )
    changed = describe(tables, AzureLake())
    assert changed.hash != planned.hash
    start = last(cloud)
    second = create(step(tmp_path), inputs(tables, changed), recorder)
    assert set(reads(cloud, start)) == {"shop/users.csv"}
    step(tmp_path).delete(first.id, state(inputs(tables, planned), first), recorder.context)
    step(tmp_path).delete(second.id, state(inputs(tables, changed), second), recorder.context)
    assert not [path for path in (tmp_path / STACK / "lake").rglob("*") if path.is_file()]


def test_a_folder_of_days_keeps_the_latest(cloud: Cloud, shop: Any, tmp_path: Path, recorder: Recorder) -> None:
    del cloud
    for name in ("day_2.tsv", "day_9.tsv", "day_10.tsv", "_SUCCESS"):
        shop.upload_blob(f"days/{name}", ROWS)
    latest = DAYS.model_copy(update={"days": 2})
    planned = describe(latest, AzureLake())
    assert [file.partition for file in planned.partitions] == ["day_9", "day_10"]
    assert (
        describe(
            latest.model_copy(update={"path": "https://shoplake.blob.core.windows.net/events/days/"}), AzureLake()
        ).hash
        == planned.hash
    )
    location = create(step(tmp_path), inputs(latest, planned), recorder).outputs.location
    copied = sorted(str(path.relative_to(tmp_path / STACK / location)) for path in (tmp_path / STACK).rglob("*.tsv"))
    assert copied == ["dt=day_10/part-00001.tsv", "dt=day_9/part-00000.tsv"]
    shop.upload_blob("days/day_11.tsv", ROWS)
    assert [file.partition for file in describe(latest, AzureLake()).partitions] == ["day_10", "day_11"]
    with pytest.raises(SpecError, match=r"`days` asks for the last 5 files of abfss://.*, which has 4\."):
        describe(DAYS.model_copy(update={"days": 5}), AzureLake())


def test_files_that_came_after_the_plan_end_the_run(
    cloud: Cloud, shop: Any, tmp_path: Path, recorder: Recorder
) -> None:
    del cloud
    shop.upload_blob("days/day_1.tsv", ROWS)
    planned = describe(DAYS, AzureLake())
    shop.upload_blob("days/day_2.tsv", ROWS)
    with pytest.raises(ChangedFileError, match=r"not those that were planned.*Run `up` again"):
        create(step(tmp_path), inputs(DAYS, planned), recorder)


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_changes_between_listing_and_reading_ends_the_run(
    cloud: Cloud, shop: Any, tmp_path: Path, *, gone: bool
) -> None:
    del cloud
    shop.upload_blob("days/day_1.tsv", ROWS)
    (listed,) = AzureLake().files(DAYS_ADDRESS)
    if gone:
        shop.delete_blob(listed.name)
    else:
        shop.upload_blob(listed.name, ROWS, overwrite=True)  # as many bytes as before
    with pytest.raises(ChangedFileError, match=r"days/day_1\.tsv changed, or was deleted, after it was listed"):
        AzureLake().fetch(DAYS_ADDRESS, listed, tmp_path / "file", lambda _: None)


def test_a_token_that_ends_is_renewed_and_what_was_fetched_is_kept(
    cloud: Cloud, shop: Any, tmp_path: Path, recorder: Recorder
) -> None:
    for day in range(3):
        shop.upload_blob(f"days/day_{day}.tsv", ROWS)
    planned = describe(DAYS, AzureLake())
    cloud.arm.faults.order("^http blob GET /events/days/day_1", kind=FaultKind.EXPIRED)
    cloud.arm.faults.order("^http blob GET /events/days/day_2", kind=FaultKind.EXPIRED)
    cloud.arm.faults.order("^http blob GET /events/days/day_2", kind=FaultKind.EXPIRED)
    start = last(cloud)
    with pytest.raises(UnreadableLakeError, match=r"accepts no token .*Sign in again with `az login`"):
        create(step(tmp_path), inputs(DAYS, planned), recorder)
    assert reads(cloud, start)[-2:] == ["days/day_2.tsv"] * 2
    start = last(cloud)
    create(step(tmp_path), inputs(DAYS, planned), recorder)
    assert reads(cloud, start) == ["days/day_2.tsv"]


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        (f"{URL}/days", MissingFileError, "There is no file at"),
        (f"{URL}/one.tsv", MissingFileError, "There is no file at"),
        (
            "abfss://secret@shoplake.dfs.core.windows.net/days",
            UnreadableLakeError,
            "You may not read the container secret",
        ),
        ("abfss://events@nosuchlake.dfs.core.windows.net/days", UnreadableLakeError, "account nosuchlake"),
        ("abfss://events@shoplake/days", SpecError, "is no address in Azure Storage"),
        ("abfss://Events@shoplake.dfs.core.windows.net/x", SpecError, "names the container 'Events'"),
        ("abfss://events@Shop.dfs.core.windows.net/x", SpecError, "names the storage account 'Shop'"),
    ],
)
def test_places_that_cannot_be_read_are_one_sentence(
    cloud: Cloud, shop: Any, path: str, error: type[DatasetError], sentence: str
) -> None:
    del cloud, shop
    with pytest.raises(error, match=sentence) as raised:
        describe(CriteoDataset(kind="criteo", path=path), AzureLake())
    assert "\n" not in str(raised.value)


def test_an_empty_file_is_named(cloud: Cloud, shop: Any) -> None:
    del cloud
    shop.upload_blob("days/day 1 ä.tsv", ROWS)
    describe(DAYS, AzureLake())
    shop.upload_blob("days/day 2 ü.tsv", b"")
    with pytest.raises(EmptyDatasetError, match=r"days/day 2 ü\.tsv"):
        describe(DAYS, AzureLake())


def test_tables_of_which_some_are_local_are_refused(shop: Any, tables: TablesDataset) -> None:
    del shop
    text = tables.spec.read_text().replace(f"{URL}/shop/users.csv", "users.csv")
    tables.spec.write_text(text)
    with pytest.raises(SpecError, match="all in Azure Storage or all local, but the table of users is local"):
        describe(tables, AzureLake())


def test_wrong_tables_are_reported_before_training(
    cloud: Cloud, shop: Any, tables: TablesDataset, tmp_path: Path, recorder: Recorder
) -> None:
    del cloud
    shop.upload_blob("shop/users.csv", b"user_id,age,country,favourite_genre\nu1,old,DE,x\n", overwrite=True)
    planned = describe(tables, AzureLake())
    with pytest.raises(DatasetError, match=r"^abfss://events@shoplake\.dfs\.core\.windows\.net/shop/users\.csv.*'old'"):
        create(step(tmp_path), inputs(tables, planned), recorder)
