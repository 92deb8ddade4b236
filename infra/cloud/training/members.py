"""Who of the deployers Databricks knows by a name, and those whom it has to be told of first.

People and groups come from the directory by themselves; a grant to a service principal that is in no workspace yet is
refused ("Could not find principal"; Microsoft's page "Service principals", on adding one to a workspace).
"""

from collections.abc import Sequence

import pulumi
import pulumi_databricks as databricks
from pulumi import ResourceOptions

from infra.azure_settings import Deployer, PrincipalType


class Members(pulumi.ComponentResource):
    """The service principals among the deployers, in the workspace. `names` are all names that grants may use."""

    def __init__(
        self,
        name: str,
        deployers: Sequence[Deployer],
        run_as: str | None,
        workspace: pulumi.Resource,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Add them; `run_as` is the application id of the one that training runs as.

        They go with `workspace`: whoever destroys the stack may be one of them.
        """
        super().__init__("personalization:azure:Members", name, None, opts)
        applications = {
            deployer.object_id: deployer.databricks_name
            for deployer in deployers
            if deployer.type is PrincipalType.SERVICE_PRINCIPAL and deployer.databricks_name is not None
        }
        if run_as is not None and run_as not in applications.values():
            applications["training"] = run_as
        for called, application in applications.items():
            databricks.ServicePrincipal(
                f"member-{called}",
                application_id=application,
                force=True,  # who deployed as it before is a member already
                opts=ResourceOptions(parent=self, deleted_with=workspace),
            )
        named = {one.object_id: one.databricks_name for one in deployers if one.databricks_name is not None}
        self.names: dict[str, str] = {**named, **applications}
        """By what they are called in the stack."""
        self.register_outputs({})
