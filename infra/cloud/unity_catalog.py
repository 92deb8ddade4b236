"""The lake as Databricks sees it: by Unity Catalog and the access connector, without a secret.

A catalog has external volumes over the lake's folders: new Databricks accounts have neither DBFS root nor mounts, and
Python on a worker can't open `abfss://` addresses, only files below `/Volumes` from runtime 13.3 on (Microsoft's pages
"What is DBFS?" and "Work with files on Azure Databricks"). Nobody may read or write files in the external locations.

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace. They are
owned by whoever ran the first `up`, so the other deployers need privileges to change and to delete them. Each grant is
deleted with its object: a deployer who destroys the stack needs it until then.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions

from azure_clients.volumes import CATALOG_ROOT, SCHEMA, Volume
from infra.step_resource import Group
from training.datasets.placed.listing import Address

ISOLATED_LOCATION = "ISOLATION_MODE_ISOLATED"
MANAGE_CREDENTIAL = ["CREATE_EXTERNAL_LOCATION", "MANAGE"]
MANAGE_LOCATION = ["CREATE_EXTERNAL_VOLUME", "CREATE_MANAGED_STORAGE", "MANAGE"]
"""To change and delete the object, and to create others in it, which MANAGE does not allow (Microsoft, "Unity Catalog
privileges and securable objects")."""


def lake_access(
    opts: ResourceOptions,
    *,
    name: str,
    connector: Input[str],
    containers: Mapping[str, Input[str]],
    read: Sequence[Address],
    managers: Mapping[str, str],
) -> pulumi.Resource:
    """The storage credential of the access `connector`, and an external location for each container.

    `containers` are the lake's `abfss://` addresses by name, `read` those of others, with data that training only
    reads, and `managers` the deployers' names in Databricks by logical name.
    """
    group = Group("azure:LakeAccess", "lake-access", opts)
    own = ResourceOptions(parent=group)
    credential = databricks.StorageCredential(
        "lake-credential",
        name=name,
        azure_managed_identity=databricks.StorageCredentialAzureManagedIdentityArgs(access_connector_id=connector),
        isolation_mode=ISOLATED_LOCATION,
        skip_validation=True,  # the connector's role takes minutes to become effective
        force_destroy=True,
        opts=own,
    )
    for called, principal in managers.items():
        databricks.Grant(
            f"lake-credential-{called}",
            principal=principal,
            privileges=MANAGE_CREDENTIAL,
            storage_credential=credential.name,
            opts=ResourceOptions(parent=group, deleted_with=credential),
        )
    of_others = {f"{one.account}-{one.container}": str(one) for one in read}
    for container, url in {**containers, **of_others}.items():
        location = databricks.ExternalLocation(
            f"location-{container}",
            name=f"{name}_{container}",
            url=url,
            credential_name=credential.name,
            read_only=container in of_others or None,
            isolation_mode=ISOLATED_LOCATION,
            skip_validation=True,
            force_destroy=True,
            opts=own,
        )
        for called, principal in managers.items():
            databricks.Grant(
                f"location-{container}-{called}",
                principal=principal,
                privileges=MANAGE_LOCATION,
                external_location=location.name,
                opts=ResourceOptions(parent=group, deleted_with=location),
            )
    return group


ISOLATED = "ISOLATED"
READ = ["READ_VOLUME", "USE_CATALOG", "USE_SCHEMA"]
"""On the catalog, and so on all of its volumes."""
MANAGE = ["CREATE_SCHEMA", "CREATE_VOLUME", "MANAGE"]
"""On the catalog as well: what deployers who don't own it need to change and to delete it and what is in it."""
WRITE = ["WRITE_VOLUME"]
WRITTEN = (Volume.RAW, Volume.MODELS, Volume.WORK, Volume.SNAPSHOTS)
"""The volumes that the job writes to."""


def catalog_volumes(
    opts: ResourceOptions,
    *,
    catalog: str,
    lake_url: Callable[[str], Output[str]],
    data: Mapping[str, str],
    principals: Mapping[str, str],
    managers: Collection[str],
) -> None:
    """The stack's own `catalog` with its external volumes, below `azure_clients.volumes.volumes_of(catalog)`.

    The external locations of the containers must exist. `lake_url` gives a container's `abfss://` address with a slash
    at the end, `data` are folders of others that training reads in place, by the volumes' names, and `principals` the
    names in Databricks of those who use the volumes, by logical name; the `managers` among them deploy.
    """
    group = Group("azure:Volumes", "volumes", opts)
    own = ResourceOptions(parent=group)
    root, root_folder = CATALOG_ROOT
    made = databricks.Catalog(
        "catalog",
        name=catalog,
        storage_root=Output.concat(lake_url(root), root_folder),  # new metastores have no storage of their own
        isolation_mode=ISOLATED,
        force_destroy=True,
        opts=own,
    )
    schema = databricks.Schema("schema", name=SCHEMA, catalog_name=made.name, force_destroy=True, opts=own)
    places: dict[str, Input[str]] = {
        volume.value: Output.concat(lake_url(volume.container), volume.folder) for volume in Volume
    }
    volumes = {
        called: databricks.Volume(
            f"volume-{called}",
            name=called,
            catalog_name=made.name,
            schema_name=schema.name,
            volume_type="EXTERNAL",
            storage_location=place,
            opts=own,
        )
        for called, place in {**places, **data}.items()
    }
    with_catalog = ResourceOptions(parent=group, deleted_with=made)
    for called, principal in principals.items():
        databricks.Grant(
            f"catalog-{called}",
            principal=principal,
            privileges=sorted([*READ, *(MANAGE if called in managers else [])]),
            catalog=made.name,
            opts=with_catalog,
        )
        for volume in WRITTEN:
            databricks.Grant(
                f"volume-{volume}-{called}",
                principal=principal,
                privileges=WRITE,
                volume=volumes[volume].id,
                opts=with_catalog,
            )
