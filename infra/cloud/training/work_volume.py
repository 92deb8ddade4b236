"""Files that all machines of a training cluster share: a Unity Catalog volume on the lake.

New Databricks accounts have neither DBFS root nor mounts, and Python on a worker can't open `abfss://` addresses, only
files below `/Volumes` from runtime 13.3 on (Microsoft's pages "What is DBFS?" and "Work with files on Azure
Databricks").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions

ISOLATED = "ISOLATED"
SCHEMA = "training"
VOLUME = "work"
PRIVILEGES = ["READ_VOLUME", "USE_CATALOG", "USE_SCHEMA", "WRITE_VOLUME"]


@dataclass(frozen=True, kw_only=True)
class WorkVolumeArgs:
    """The catalog's name, its root as an `abfss://` address with a slash at the end, and the principals that use it."""

    catalog: str
    root: Input[str]
    principals: Sequence[str]
    """Their names in Databricks."""


class WorkVolume(pulumi.ComponentResource):
    """The stack's own catalog with one external volume. `path` is its path on a cluster's machines."""

    def __init__(self, name: str, args: WorkVolumeArgs, opts: ResourceOptions | None = None) -> None:
        """Create them; the external location of the root must exist."""
        super().__init__("personalization:azure:WorkVolume", name, None, opts)
        own = ResourceOptions(parent=self)
        catalog = databricks.Catalog(
            "work-catalog",
            name=args.catalog,
            storage_root=Output.concat(args.root, "catalog"),  # new metastores have no storage of their own
            isolation_mode=ISOLATED,
            force_destroy=True,
            opts=own,
        )
        schema = databricks.Schema("work-schema", name=SCHEMA, catalog_name=catalog.name, force_destroy=True, opts=own)
        volume = databricks.Volume(
            "work-volume",
            name=VOLUME,
            catalog_name=catalog.name,
            schema_name=schema.name,
            volume_type="EXTERNAL",
            storage_location=Output.concat(args.root, "files"),
            opts=own,
        )
        grants = [
            databricks.Grant(
                f"work-{place}", catalog=catalog.name, principal=principal, privileges=PRIVILEGES, opts=own
            )
            for place, principal in enumerate(args.principals)
        ]
        self.path = Output.all(volume.id, *(grant.id for grant in grants)).apply(
            lambda known: "/Volumes/" + str(known[0]).replace(".", "/")
        )
        self.register_outputs({"path": self.path})
