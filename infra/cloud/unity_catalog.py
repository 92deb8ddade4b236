"""The lake as Databricks sees it: by Unity Catalog and the access connector, without a secret.

A catalog has external volumes over the lake's folders: new Databricks accounts have neither DBFS root nor mounts, and
Python on a worker can't open `abfss://` addresses, only files below `/Volumes` from runtime 13.3 on (Microsoft's pages
"What is DBFS?" and "Work with files on Azure Databricks"). Nobody may read or write files in the external locations.

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace. They are
owned by whoever ran the first `up`, so the other deployers need privileges to change and to delete them. Each grant is
deleted with its object: a deployer who destroys the stack needs it until then.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions

from steps.volumes import CATALOG_ROOT, SCHEMA, Volume
from training.datasets.placed.address import Address

ISOLATED_LOCATION = "ISOLATION_MODE_ISOLATED"
MANAGE_CREDENTIAL = ["CREATE_EXTERNAL_LOCATION", "MANAGE"]
MANAGE_LOCATION = ["CREATE_EXTERNAL_VOLUME", "CREATE_MANAGED_STORAGE", "MANAGE"]
"""To change and delete the object, and to create others in it, which MANAGE does not allow (Microsoft, "Unity Catalog
privileges and securable objects")."""


@dataclass(frozen=True, kw_only=True)
class LakeAccessArgs:
    """The connector, and the lake's containers by name."""

    name: str
    connector: Input[str]
    """ID of the access connector."""
    containers: Mapping[str, Input[str]]
    """`abfss://` addresses."""
    read: Sequence[Address] = ()
    """Containers of others, with data that training only reads."""
    managers: Mapping[str, str]
    """The deployers' names in Databricks, by logical name."""


class LakeAccess(pulumi.ComponentResource):
    """The storage credential, and an external location for each container."""

    def __init__(self, name: str, args: LakeAccessArgs, opts: ResourceOptions | None = None) -> None:
        """Create all of them."""
        super().__init__("personalization:azure:LakeAccess", name, None, opts)
        credential = databricks.StorageCredential(
            "lake-credential",
            name=args.name,
            azure_managed_identity=databricks.StorageCredentialAzureManagedIdentityArgs(
                access_connector_id=args.connector
            ),
            isolation_mode=ISOLATED_LOCATION,
            skip_validation=True,  # the connector's role takes minutes to become effective
            force_destroy=True,
            opts=ResourceOptions(parent=self),
        )
        for called, principal in args.managers.items():
            databricks.Grant(
                f"lake-credential-{called}",
                principal=principal,
                privileges=MANAGE_CREDENTIAL,
                storage_credential=credential.name,
                opts=ResourceOptions(parent=self, deleted_with=credential),
            )
        self._locations(args, credential)
        self.register_outputs({})

    def _locations(self, args: LakeAccessArgs, credential: databricks.StorageCredential) -> None:
        read = {f"{one.account}-{one.container}": str(one) for one in args.read}
        for container, url in {**args.containers, **read}.items():
            location = databricks.ExternalLocation(
                f"location-{container}",
                name=f"{args.name}_{container}",
                url=url,
                credential_name=credential.name,
                read_only=container in read or None,
                isolation_mode=ISOLATED_LOCATION,
                skip_validation=True,
                force_destroy=True,
                opts=ResourceOptions(parent=self),
            )
            in_location = ResourceOptions(parent=self, deleted_with=location)
            for called, principal in args.managers.items():
                databricks.Grant(
                    f"location-{container}-{called}",
                    principal=principal,
                    privileges=MANAGE_LOCATION,
                    external_location=location.name,
                    opts=in_location,
                )


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
