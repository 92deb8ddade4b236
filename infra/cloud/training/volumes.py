"""The lake as every machine of a cluster sees it: a catalog of Unity Catalog, with external volumes over its folders.

New Databricks accounts have neither DBFS root nor mounts, and Python on a worker can't open `abfss://` addresses, only
files below `/Volumes` from runtime 13.3 on (Microsoft's pages "What is DBFS?" and "Work with files on Azure
Databricks").
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions

from steps.volumes import CATALOG_ROOT, SCHEMA, Volume

ISOLATED = "ISOLATED"
READ = ["READ_VOLUME", "USE_CATALOG", "USE_SCHEMA"]
"""On the catalog, and so on all of its volumes."""
MANAGE = ["CREATE_SCHEMA", "CREATE_VOLUME", "MANAGE"]
"""On the catalog as well: what deployers who don't own it need to change and to delete it and what is in it."""
WRITE = ["WRITE_VOLUME"]
WRITTEN = (Volume.RAW, Volume.MODELS, Volume.WORK, Volume.SNAPSHOTS)
"""The volumes that the job writes to."""


@dataclass(frozen=True, kw_only=True)
class VolumesArgs:
    """The catalog's name, the lake's containers, and the principals that use the volumes."""

    catalog: str
    lake_url: Callable[[str], Output[str]]
    """A container's `abfss://` address, with a slash at the end."""
    data: Mapping[str, str]
    """Folders of others that training reads in place, by the volumes' names."""
    principals: Mapping[str, str]
    """Their names in Databricks, by logical name."""
    managers: Collection[str]
    """The logical names of those among them who deploy."""


class Volumes(pulumi.ComponentResource):
    """The stack's own catalog with its external volumes, below `steps.volumes.volumes_of(catalog)`."""

    def __init__(self, name: str, args: VolumesArgs, opts: ResourceOptions | None = None) -> None:
        """Create them; the external locations of the containers must exist."""
        super().__init__("personalization:azure:Volumes", name, None, opts)
        self._own = ResourceOptions(parent=self)
        root, folder = CATALOG_ROOT
        self._catalog = databricks.Catalog(
            "catalog",
            name=args.catalog,
            storage_root=Output.concat(args.lake_url(root), folder),  # new metastores have no storage of their own
            isolation_mode=ISOLATED,
            force_destroy=True,
            opts=self._own,
        )
        self._schema = databricks.Schema(
            "schema", name=SCHEMA, catalog_name=self._catalog.name, force_destroy=True, opts=self._own
        )
        made = {
            volume: self._volume(volume, Output.concat(args.lake_url(volume.container), volume.folder))
            for volume in Volume
        }
        for called, folder in args.data.items():
            self._volume(called, folder)
        for called, principal in args.principals.items():
            databricks.Grant(
                f"catalog-{called}",
                principal=principal,
                privileges=sorted([*READ, *(MANAGE if called in args.managers else [])]),
                catalog=self._catalog.name,
                opts=ResourceOptions(parent=self, deleted_with=self._catalog),
            )
            for volume in WRITTEN:
                databricks.Grant(
                    f"volume-{volume}-{called}",
                    principal=principal,
                    privileges=WRITE,
                    volume=made[volume].id,
                    opts=ResourceOptions(parent=self, deleted_with=self._catalog),
                )
        self.register_outputs({})

    def _volume(self, name: str, location: Input[str]) -> databricks.Volume:
        return databricks.Volume(
            f"volume-{name}",
            name=name,
            catalog_name=self._catalog.name,
            schema_name=self._schema.name,
            volume_type="EXTERNAL",
            storage_location=location,
            opts=self._own,
        )
