"""What the Azure CLI does with blobs."""

from pathlib import Path
from typing import Any


def download_batch(source: Any, destination: Path) -> None:
    """`az storage blob download-batch`: all blobs of the container client `source`, as files below `destination`."""
    for name in source.list_blob_names():
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.download_blob(name).readall())
