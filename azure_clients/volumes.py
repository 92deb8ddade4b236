"""Where files lie in the lake, and the volumes of Unity Catalog through which clusters use them.

Uploads name a file by the Blob endpoint, a cluster's machines by `/Volumes/CATALOG/SCHEMA/VOLUME/...`. A volume covers
a folder: it may neither be an external location's root nor overlap with the catalog's own storage (Microsoft's page
"What are Unity Catalog volumes?").
"""

from enum import StrEnum

SCHEMA = "training"
CONTAINERS = ("raw", "models", "work", "snapshots")
"""The lake's containers."""
DELETED_DAYS = 7
"""For how long deleted files of the lake can be restored."""
SERVED = "served"
"""The folder of the volume `snapshots` that the service follows."""
CATALOG_ROOT = ("work", "catalog")
"""Container and folder of the catalog's own storage, which stays empty."""


class Volume(StrEnum):
    """The volumes, by the last part of their names."""

    RAW = "raw"
    """Datasets."""
    MODELS = "models"
    """Bundles."""
    WORK = "work"
    """Intermediate files of a run."""
    SNAPSHOTS = "snapshots"
    """Users' histories and the catalogue of items. The service's pods read its container, so nothing else is in it."""
    LIBRARIES = "libraries"
    """What the job's clusters install; they may only read it."""

    @property
    def container(self) -> str:
        """The container with its files."""
        return "work" if self is Volume.LIBRARIES else self.value

    @property
    def folder(self) -> str:
        """The container's folder that it covers."""
        return "libraries" if self is Volume.LIBRARIES else "files"


def volumes_of(catalog: str) -> str:
    """The folder with a catalog's volumes, on every machine of a cluster."""
    return f"/Volumes/{catalog}/{SCHEMA}"
