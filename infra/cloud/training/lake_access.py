"""The workspace's access to the lake: by Unity Catalog and the access connector, without a secret.

Nobody gets a grant on the external locations: runs use the volumes in them (`volumes.py`).

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

ISOLATED = "ISOLATION_MODE_ISOLATED"


@dataclass(frozen=True, kw_only=True)
class LakeAccessArgs:
    """The connector, and the lake's containers by name."""

    name: str
    connector: Input[str]
    """ID of the access connector."""
    containers: Mapping[str, Input[str]]
    """`abfss://` addresses."""


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
        for container, url in args.containers.items():
            databricks.ExternalLocation(
                f"location-{container}",
                name=f"{args.name}_{container}",
                url=url,
                credential_name=credential.name,
                isolation_mode=ISOLATED,
                skip_validation=True,
                force_destroy=True,
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})
