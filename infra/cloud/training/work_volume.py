"""Where all machines of a training cluster see the same files: a volume of Unity Catalog on the lake.

New Databricks accounts have neither DBFS root nor mounts, and Python on a worker opens no `abfss://` address, but files
below `/Volumes` from runtime 13.3 on (Microsoft's pages "What is DBFS?" and "Work with files on Azure Databricks").
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
    """The catalog's name, the `abfss://` address below which all of it lies, with a slash, and who works there."""

    catalog: str
    root: Input[str]
    principals: Sequence[str]
    """Their names in Databricks."""


class WorkVolume(pulumi.ComponentResource):
    """A catalog of the stack's own with one external volume. `path` is where a cluster's machines see it."""

    def __init__(self, name: str, args: WorkVolumeArgs, opts: ResourceOptions | None = None) -> None:
        """Make them; the external location that covers the root must be there."""
        super().__init__("personalization:azure:WorkVolume", name, None, opts)
        own = ResourceOptions(parent=self)
        catalog = databricks.Catalog(
            "work-catalog",
            name=args.catalog,
            storage_root=Output.concat(args.root, "catalog"),  # a metastore of today has no storage of its own
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
