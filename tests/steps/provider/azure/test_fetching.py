"""Who was forgotten reaches the pods, and no file in the lake that is wrong withholds another one."""

from pathlib import Path

import pytest

from features.errors import PersonalizationError
from recommend import catalogue, histories
from recommend.forgotten import FILE, NOBODY, Forgotten
from scoring.worker.snapshots import Lake
from steps.snapshots_on_azure import LakeSnapshots
from tests.steps.provider.azure.test_snapshots import VERSION, address, allowed, client, lake, left_by_a_run, pod
from tests.support.recommenders import write_snapshots
from tools import azurite

__all__ = ["allowed", "lake", "pod"]
pytestmark = [
    pytest.mark.skipif(azurite.command() is None, reason="needs `python -m tools.azurite`"),
    pytest.mark.usefixtures("allowed"),
]
LIST = f"files/served/{FILE}"


def test_the_list_is_fetched_and_one_that_was_altered_replaces_none(lake: LakeSnapshots, pod: Path) -> None:
    service = Lake(address(VERSION), pod)
    service.fetch()
    assert service.has_no_list, "Azure says so"
    lake.forget("u1")
    service.fetch()
    assert [user in Forgotten.load(pod.parent / FILE) for user in ("u1", "u2")] == [True, False]
    assert (pod.parent / FILE).stat().st_mode & 0o777 == 0o600
    client().upload_blob(LIST, b"{}", overwrite=True)
    for _ in range(2):
        with pytest.raises(PersonalizationError, match=r"forgotten\.json.* was altered"):
            service.fetch()
    assert "u1" in Forgotten.load(pod.parent / FILE)
    client().upload_blob(LIST, NOBODY.with_user("u2").encode(), overwrite=True)
    service.fetch()
    assert [user in Forgotten.load(pod.parent / FILE) for user in ("u1", "u2")] == [False, True]


@pytest.mark.parametrize("wrong", [FILE, histories.FILE, catalogue.FILE])
def test_a_file_that_is_wrong_withholds_no_other(lake: LakeSnapshots, pod: Path, tmp_path: Path, wrong: str) -> None:
    lake.publish(Path(VERSION), None, left_by_a_run(write_snapshots(tmp_path / "run")))
    lake.forget("u3")
    (name,) = (blob.name for blob in client().list_blobs() if blob.name.endswith(wrong))
    client().upload_blob(name, b"altered", overwrite=True)
    with pytest.raises(PersonalizationError, match="altered"):
        Lake(address(VERSION), pod).fetch()
    files = {FILE: pod.parent / FILE, **{name: pod / name for name in (histories.FILE, catalogue.FILE)}}
    found = {name for name, file in files.items() if file.exists()}
    assert found == {FILE, histories.FILE, catalogue.FILE} - {wrong}
