"""The workspace's access to the lake: by Unity Catalog and the access connector, without a secret.

Nobody may read or write files in the external locations: runs use the volumes in them (`volumes.py`).

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace. They are
owned by whoever ran the first `up`, so the other deployers need privileges to change and to delete them. Each grant is
deleted with its object: a deployer who destroys the stack needs it until then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from training.datasets.placed.address import Address

ISOLATED = "ISOLATION_MODE_ISOLATED"
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
            isolation_mode=ISOLATED,
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
                isolation_mode=ISOLATED,
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
