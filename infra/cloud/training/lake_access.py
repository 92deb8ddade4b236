"""Unity Catalog lets the workspace read and write the lake through the access connector, without a secret.

These objects belong to the region's metastore: their names are unique in it, and they outlive the workspace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from infra.azure_settings import Deployer

ISOLATED = "ISOLATION_MODE_ISOLATED"
PRIVILEGES = ["READ_FILES", "WRITE_FILES"]


@dataclass(frozen=True, kw_only=True)
class LakeAccessArgs:
    """The connector, the lake's containers by name, and who may use them."""

    name: str
    connector: Input[str]
    """Id of the access connector."""
    containers: Mapping[str, Input[str]]
    """`abfss://` addresses."""
    deployers: Sequence[Deployer]


class LakeAccess(pulumi.ComponentResource):
    """The storage credential, an external location for each container, and the deployers' grants on them."""

    def __init__(self, name: str, args: LakeAccessArgs, opts: ResourceOptions | None = None) -> None:
        """Make all of them."""
        super().__init__("personalization:azure:LakeAccess", name, None, opts)
        credential = databricks.StorageCredential(
            "lake-credential",
            name=args.name,
            azure_managed_identity=databricks.StorageCredentialAzureManagedIdentityArgs(
                access_connector_id=args.connector
            ),
            isolation_mode=ISOLATED,
            skip_validation=True,  # the connector's role takes minutes to count
            force_destroy=True,
            opts=ResourceOptions(parent=self),
        )
        self.locations: list[pulumi.Resource] = []
        for container, url in args.containers.items():
            location = databricks.ExternalLocation(
                f"location-{container}",
                name=f"{args.name}_{container}",
                url=url,
                credential_name=credential.name,
                isolation_mode=ISOLATED,
                skip_validation=True,
                force_destroy=True,
                opts=ResourceOptions(parent=self),
            )
            self.locations.append(location)
            for deployer in args.deployers:
                self._grant(container, location, deployer)
        self.register_outputs({})

    def _grant(self, container: str, location: databricks.ExternalLocation, deployer: Deployer) -> None:
        if deployer.databricks_name is None:
            return
        databricks.Grant(
            f"{container}-{deployer.object_id}",
            external_location=location.name,
            principal=deployer.databricks_name,
            privileges=PRIVILEGES,
            opts=ResourceOptions(parent=self),
        )
