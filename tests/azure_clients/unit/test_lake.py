"""Names that an account or a registry answers become no path outside the folder that they belong to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azure_clients import credentials
from azure_clients.lake import LakeFolder, lake_folder
from azure_clients.resources import Lake
from azure_clients.retries import Context
from azure_clients.volumes import Volume
from features.errors import PersonalizationError

PLACE = Lake(tenant="tenant", blob_endpoint="https://shoplake.blob.core.windows.net/")
CONTEXT = Context(report=print)


class Container:
    """A container with one blob of this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def list_blobs(self, **_asked: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=self._name, metadata=None)]

    def get_blob_client(self, _name: str) -> SimpleNamespace:
        content = SimpleNamespace(readinto=lambda stream: stream.write(b"evil"))
        return SimpleNamespace(download_blob=lambda: content)


@pytest.mark.parametrize("name", ["{elsewhere}", "../evil", "a//evil", "./evil"])
def test_a_fetched_folder_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    blob = f"files/runs/1/{name.format(elsewhere=tmp_path / 'evil')}"
    monkeypatch.setattr(credentials, "container", lambda *_: Container(blob))
    folder = LakeFolder(PLACE, Volume.MODELS, "runs/1", CONTEXT)
    with pytest.raises(PersonalizationError, match="evil"):
        folder.fetch(tmp_path / "target" / "bundle")
    assert list(tmp_path.rglob("evil")) == []


def test_a_registered_address_leads_to_no_other_folder() -> None:
    url = "abfss://models@shoplake.dfs.core.windows.net/files/runs/../../../raw"
    with pytest.raises(PersonalizationError, match="leads elsewhere"):
        lake_folder(PLACE, url, CONTEXT)
