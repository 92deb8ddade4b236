"""The workspace's access to the lake: by Unity Catalog and the access connector, without a secret.

Nobody gets a grant on the external locations: runs use the volumes in them (`volumes.py`).

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from training.datasets.placed.address import Address

ISOLATED = "ISOLATION_MODE_ISOLATED"


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
        read = {f"{one.account}-{one.container}": str(one) for one in args.read}
        for container, url in {**args.containers, **read}.items():
            databricks.ExternalLocation(
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
        self.register_outputs({})
