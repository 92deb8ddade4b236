"""The step for data: what it sends to the lake, and data in a container that the stack doesn't own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_clients.containers import AzureLake
from azure_clients.databricks_runs import RunFailedError
from azure_clients.lake import SHA256
from azure_clients.retries import AzureRefusedError, StepCancelledError, Timeout
from steps.data_upload import COMPLETE, OWNER, DataUploadHere, DataUploadOnAzure
from steps.datasets import located
from steps.training_run import TrainingRunOnAzure
from tests.simulation.fakes.runs import Run, TaskFailedError
from tests.simulation.faults import FaultKind
from tests.steps.provider.azure.conftest import AZURE, BLOB, NOBODY, VOLUMES, Cloud, container
from tests.steps.provider.azure.examples import URL
from tests.steps.provider.azure.test_training_run import Training
from tests.steps.provider.azure.test_training_run import inputs as training_inputs
from tests.steps.provider.steps import BASE, STACK, Recorder, Take, Taken
from tests.support.bundles import MakeBundle
from tests.support.training_runs import pieces_of
from tools.paths import ROOT
from training.datasets import describe
from training.datasets.manifest import RECORD, Manifest, manifest_in
from training.datasets.placed.dataset import addresses, covered, in_volume, volume_of, write_places
from training.datasets.placed.listing import Address, ChangedFileError, UnreadableLakeError
from training.errors import DatasetError, EmptyDatasetError, MissingFileError, SpecError
from training.parameters import CriteoDataset, Dataset, TablesDataset

ROWS = ("1\t1" + "\t" * 38 + "\n0\t2" + "\t" * 38 + "\n").encode()
DAYS_ADDRESS = Address("shoplake", "events", "days")
DAYS = CriteoDataset(kind="criteo", path=f"{URL}/days")
SHOP = Address("shoplake", "events", "shop")


def sent(digit: str, **dataset: Any) -> dict[str, Any]:
    described = dataset or {"kind": "films", "users": 100, "films": 50, "seed": 1}
    data = {"dataset": described, "manifest_hash": digit * 64}
    return {**AZURE, "registry": "ctr", "blob_endpoint": BLOB, "volumes": VOLUMES, **data}


def names(folder: str) -> list[str]:
    """What is in the folder with this name, or of this digit 64 times."""
    name = folder * 64 if len(folder) == 1 else folder
    return [blob.name.split("/", 2)[2] for blob in container("raw").list_blobs(name_starts_with=f"files/{name}")]


def test_the_dataset_comes_whole_with_its_checksums_and_goes_again(cloud: Cloud, tmp_path: Path, take: Take) -> None:
    for nth, kind in enumerate([FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.EXPIRED], start=1):
        cloud.arm.faults.order("^http blob PUT .*views", nth=nth, kind=kind)
    made = take(DataUploadOnAzure, sent("1"))
    assert made.outputs.location == f"abfss://raw@lakeabc.dfs.core.windows.net/files/{'1' * 64}"
    assert {"views.csv", "users.csv", "films.csv", COMPLETE, OWNER} < set(names("1"))
    views = container("raw").get_blob_client(f"files/{'1' * 64}/views.csv").get_blob_properties()
    assert len(views.metadata[SHA256]) == 64
    assert not list((tmp_path / STACK / "lake" / "raw").iterdir())
    before = cloud.calls()
    again = take(DataUploadOnAzure, sent("1"))
    assert cloud.asked("PUT", before) == [f"/raw/files/{'1' * 64}/{OWNER}"], "it is not sent again"
    made.delete()
    assert COMPLETE in names("1"), "a new resource has adopted it"
    assert again.read() is not None
    again.delete()
    assert names("1") == []
    assert again.read() is None


def test_half_a_dataset_that_an_ended_deletion_left_is_none_and_comes_whole_again(cloud: Cloud, take: Take) -> None:
    made = take(DataUploadOnAzure, sent("2"))
    whole = names("2")
    cloud.arm.faults.order("^http blob DELETE .*users", kind=FaultKind.REFUSED)
    with pytest.raises(AzureRefusedError, match="delete from the lake"):
        made.delete()
    assert set() < set(names("2")) < set(whole)
    assert made.read() is None
    take(DataUploadOnAzure, sent("2"))
    assert names("2") == whole


@pytest.mark.usefixtures("cloud")
def test_tables_come_with_their_config(take: Take) -> None:
    dataset = TablesDataset(kind="tables", spec=Path("examples/tables/dataset.yaml"))
    planned = describe(located(dataset)).hash
    take(DataUploadOnAzure, sent("b", **dataset.model_dump(mode="json")) | {"manifest_hash": planned})
    assert {"interactions.csv", "users.csv", "items.csv", "dataset.yaml", COMPLETE} < set(names(planned))


def test_an_interrupted_upload_goes_on_with_the_files_that_are_missing(
    cloud: Cloud, tmp_path: Path, take: Take
) -> None:
    copy = tmp_path / STACK / "lake" / "raw" / ("3" * 64)
    for day in range(6):
        (copy / f"dt={day}").mkdir(parents=True)
        (copy / f"dt={day}" / "part-00000.tsv").write_text(f"row {day}\n")
    cloud.arm.faults.order(r"^http blob PUT .*dt=5", kind=FaultKind.REFUSED)
    with pytest.raises(AzureRefusedError, match="write to the lake"):
        take(DataUploadOnAzure, sent("3"))
    first = [name for name in names("3") if name.startswith("dt=")]
    assert 0 < len(first) < 6
    before = cloud.calls()
    take(DataUploadOnAzure, sent("3"))
    assert len([path for path in cloud.asked("PUT", before) if "dt=" in path]) == 6 - len(first)
    assert len([name for name in names("3") if name.startswith("dt=")]) == 6


@pytest.mark.usefixtures("cloud")
def test_an_interruption_ends_the_upload_and_leaves_it_incomplete(take: Take, recorder: Recorder) -> None:
    recorder.cancelled.set()
    with pytest.raises(StepCancelledError):
        take(DataUploadOnAzure, sent("4"))
    assert COMPLETE not in names("4")


@pytest.mark.usefixtures("cloud")
def test_rows_on_the_web_are_left_to_the_job(take: Take) -> None:
    assert take(DataUploadOnAzure, sent("6", kind="criteo", path="full")).outputs.location.endswith("6" * 64)
    assert names("6") == [OWNER]


def test_a_missing_role_is_reported_after_the_wait(cloud: Cloud, take: Take, recorder: Recorder) -> None:
    cloud.sign_in(NOBODY)
    recorder.timeout = Timeout(seconds=0.5, pause=0.05)
    with pytest.raises(AzureRefusedError, match=r"azure\.deployers"):
        take(DataUploadOnAzure, sent("7"))


def fetched(take: Take, dataset: Dataset, manifest: Manifest) -> Taken:
    """Bring a dataset to this machine."""
    described = {"dataset": dataset.model_dump(mode="json"), "manifest_hash": manifest.hash}
    return take(DataUploadHere, {**BASE, **described})


def reads(cloud: Cloud, since: int) -> list[str]:
    """The files that were fetched, without listings."""
    return [path.removeprefix("/events/") for path in cloud.asked("GET", since) if path.startswith("/events/")]


def test_tables_are_identified_by_their_listing_and_fetched_once(
    cloud: Cloud, shop: Any, tables: TablesDataset, tmp_path: Path, take: Take
) -> None:
    start = cloud.calls()
    planned = describe(tables, AzureLake())
    assert reads(cloud, start) == []
    assert describe(tables, AzureLake()) == planned
    first = fetched(take, tables, planned)
    copy = tmp_path / STACK / first.outputs.location
    for name in ("interactions", "users", "items"):
        assert (copy / f"{name}.csv").read_bytes() == (ROOT / "examples" / "tables" / f"{name}.csv").read_bytes()
    users = (copy / "users.csv").read_bytes()
    another = users.splitlines(keepends=True)[-1].replace(b"u", b"v", 1)
    shop.upload_blob("shop/users.csv", users + another, overwrite=True)
    changed = describe(tables, AzureLake())
    assert changed.hash != planned.hash
    start = cloud.calls()
    second = fetched(take, tables, changed)
    assert set(reads(cloud, start)) == {"shop/users.csv"}
    first.delete()
    second.delete()
    assert not [path for path in (tmp_path / STACK / "lake").rglob("*") if path.is_file()]


def test_a_folder_of_days_keeps_the_latest(shop: Any, tmp_path: Path, take: Take) -> None:
    for name in ("day_2.tsv", "day_9.tsv", "day_10.tsv", "_SUCCESS"):
        shop.upload_blob(f"days/{name}", ROWS)
    latest = DAYS.model_copy(update={"days": 2})
    planned = describe(latest, AzureLake())
    assert [file.partition for file in planned.partitions] == ["interactions"] * 2
    by_https = latest.model_copy(update={"path": "https://shoplake.blob.core.windows.net/events/days/"})
    assert describe(by_https, AzureLake()).hash == planned.hash
    location = fetched(take, latest, planned).outputs.location
    copied = sorted(str(path.relative_to(tmp_path / STACK / location)) for path in (tmp_path / STACK).rglob("*.tsv"))
    assert copied == ["interactions/day_10.tsv", "interactions/day_9.tsv"]
    shop.upload_blob("days/day_11.tsv", ROWS)
    assert [file.path[-10:] for file in describe(latest, AzureLake()).partitions] == ["day_10.tsv", "day_11.tsv"]
    with pytest.raises(SpecError, match=r"`days` asks for the last 5 files of abfss://.*, which has 4\."):
        describe(DAYS.model_copy(update={"days": 5}), AzureLake())


def test_files_that_came_after_the_plan_end_the_run(shop: Any, take: Take) -> None:
    shop.upload_blob("days/day_1.tsv", ROWS)
    planned = describe(DAYS, AzureLake())
    shop.upload_blob("days/day_2.tsv", ROWS)
    with pytest.raises(ChangedFileError, match=r"not those that were planned.*Run `up` again"):
        fetched(take, DAYS, planned)


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_changes_between_listing_and_reading_ends_the_run(shop: Any, tmp_path: Path, *, gone: bool) -> None:
    shop.upload_blob("days/day_1.tsv", ROWS)
    (listed,) = AzureLake().files(DAYS_ADDRESS)
    if gone:
        shop.delete_blob(listed.name)
    else:
        shop.upload_blob(listed.name, ROWS, overwrite=True)  # as many bytes as before
    with pytest.raises(ChangedFileError, match=r"days/day_1\.tsv changed, or was deleted, after it was listed"):
        AzureLake().fetch(DAYS_ADDRESS, listed, tmp_path / "file", lambda _: None)


def test_a_token_that_ends_is_renewed_and_what_was_fetched_is_kept(cloud: Cloud, shop: Any, take: Take) -> None:
    for day in range(3):
        shop.upload_blob(f"days/day_{day}.tsv", ROWS)
    planned = describe(DAYS, AzureLake())
    for day in (1, 2, 2):
        cloud.arm.faults.order(f"^http blob GET /events/days/day_{day}", kind=FaultKind.EXPIRED)
    start = cloud.calls()
    with pytest.raises(UnreadableLakeError, match=r"accepts no token .*Sign in again with `az login`"):
        fetched(take, DAYS, planned)
    assert reads(cloud, start)[-2:] == ["days/day_2.tsv"] * 2
    start = cloud.calls()
    fetched(take, DAYS, planned)
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
        ("abfss://events@shoplake/days", SpecError, "is not an address in Azure Storage"),
        ("abfss://Events@shoplake.dfs.core.windows.net/x", SpecError, "is not an address in Azure Storage"),
        ("abfss://events@Shop.dfs.core.windows.net/x", SpecError, "is not an address in Azure Storage"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_places_that_cannot_be_read_are_one_sentence(path: str, error: type[DatasetError], sentence: str) -> None:
    with pytest.raises(error, match=sentence) as raised:
        describe(CriteoDataset(kind="criteo", path=path), AzureLake())
    assert "\n" not in str(raised.value)


def test_an_empty_file_is_named(shop: Any) -> None:
    shop.upload_blob("days/day 1 ä.tsv", ROWS)
    describe(DAYS, AzureLake())
    shop.upload_blob("days/day 2 ü.tsv", b"")
    with pytest.raises(EmptyDatasetError, match=r"days/day 2 ü\.tsv"):
        describe(DAYS, AzureLake())


def test_tables_of_which_some_are_local_are_refused(tables: TablesDataset) -> None:
    tables.spec.write_text(tables.spec.read_text().replace(f"{URL}/shop/users.csv", "users.csv"))
    with pytest.raises(SpecError, match="all in Azure Storage or all local, but the table of users is local"):
        describe(tables, AzureLake())


def test_wrong_tables_are_reported_before_training(shop: Any, tables: TablesDataset, take: Take) -> None:
    shop.upload_blob("shop/users.csv", b"user_id,age,country,favourite_genre\nu1,old,DE,x\n", overwrite=True)
    with pytest.raises(DatasetError, match=r"^abfss://events@shoplake\.dfs\.core\.windows\.net/shop/users\.csv.*'old'"):
        fetched(take, tables, describe(tables, AzureLake()))


def left_in_place(take: Take, dataset: Dataset) -> str:
    """Take the data step on Azure; the manifest's hash."""
    wanted = describe(dataset, AzureLake()).hash
    take(DataUploadOnAzure, sent("", **dataset.model_dump(mode="json")) | {"manifest_hash": wanted})
    return wanted


def mirrored(shop: Any, folder: Address, volumes: Path) -> None:
    """Fill the folder of a volume with the container's files, as a cluster's machine sees them."""
    for blob in shop.list_blobs(name_starts_with=f"{folder.path}/"):
        target = volumes / volume_of(folder) / blob.name.removeprefix(f"{folder.path}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(shop.download_blob(blob.name).readall())


def rows(dataset: Dataset, data: Path) -> int:
    """How many rows an engine reads."""
    return sum(len(fields) for piece in pieces_of(dataset, data) for fields in piece())


def test_of_data_in_place_the_lake_gets_the_listing_and_the_config_and_no_rows(
    cloud: Cloud, tables: TablesDataset, tmp_path: Path, take: Take
) -> None:
    start = cloud.calls()
    wanted = left_in_place(take, tables)
    assert reads(cloud, start) == []
    raw = container("raw")
    assert {name.rpartition("/")[2] for name in names(wanted)} == {COMPLETE, OWNER, RECORD, "dataset.yaml"}
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


def test_days_in_place_keep_their_names_and_the_window(shop: Any, tmp_path: Path) -> None:
    days = CriteoDataset(kind="criteo", path=f"{URL}/logs/days", days=2)
    for day in (1, 9, 10):
        shop.upload_blob(f"logs/days/day_{day}.tsv", ROWS * day)
    lake, copy, volumes = AzureLake(), tmp_path / "copy", tmp_path / "volumes"
    write_places(days, copy, lake, volumes, wanted=describe(days, lake).hash)
    shop.upload_blob("logs/days/day_11.tsv", ROWS)
    mirrored(shop, replace(SHOP, path="logs"), volumes)
    assert rows(days, copy) == 38


@pytest.mark.parametrize("place", ["/rows.tsv", ""])
def test_what_no_volume_can_cover_is_one_sentence(shop: Any, place: str) -> None:
    shop.upload_blob("rows.tsv", ROWS)
    dataset = CriteoDataset(kind="criteo", path=f"{URL}{place}")
    with pytest.raises(SpecError, match=r"directly in the container .*shoplake.*Move the files into a folder"):
        covered(dataset, describe(dataset, AzureLake()))


def test_volumes_cover_the_first_folders_and_tables_are_found_in_them(tables: TablesDataset) -> None:
    assert covered(tables, describe(tables, AzureLake())) == [SHOP]
    users = addresses(tables)["users"]
    assert in_volume(users, Path(VOLUMES)) == Path(VOLUMES) / volume_of(SHOP) / "users.csv"


@pytest.fixture
def trained(
    cloud: Cloud, tables: TablesDataset, take: Take, bundle_of: MakeBundle
) -> Callable[[Callable[[], None]], Training]:
    """Trains on the tables in place; the owner of the container does something while the job runs."""
    placed = {"dataset": tables.model_dump(mode="json"), "manifest_hash": left_in_place(take, tables)}
    task = Training(bundle_of(1))

    def train(meanwhile: Callable[[], None]) -> Training:
        def work(run: Run) -> str:
            meanwhile()
            return task(run)

        cloud.task.work = work
        take(TrainingRunOnAzure, training_inputs(cloud, 41) | placed)
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


def test_a_file_that_changed_before_the_run_starts_no_cluster(shop: Any, trained: Any) -> None:
    shop.upload_blob("shop/users.csv", b"other", overwrite=True)
    started: list[str] = []
    with pytest.raises(ChangedFileError, match=r"shop/users\.csv changed"):
        trained(lambda: started.append("run"))
    assert started == []
