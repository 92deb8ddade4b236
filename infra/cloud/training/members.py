"""The deployers' names in Databricks; service principals are added to the workspace first.

Databricks finds users and groups in Entra ID, but refuses a grant to a service principal that is in no workspace
("Could not find principal"; Microsoft's page "Service principals", on adding one to a workspace).
"""

from collections.abc import Sequence

import pulumi
import pulumi_databricks as databricks
from pulumi import ResourceOptions

from infra.setting_types import Deployer, PrincipalType


class Members(pulumi.ComponentResource):
    """The deployers' service principals in the workspace. `names` are all names for grants."""

    def __init__(
        self,
        name: str,
        deployers: Sequence[Deployer],
        run_as: str | None,
        workspace: pulumi.Resource,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Add them; `run_as` is the application ID of the one that training runs as.

        They are deleted with `workspace`, because one of them may be destroying the stack.
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
                force=True,  # one that has deployed before is already a member
                opts=ResourceOptions(parent=self, deleted_with=workspace),
            )
        named = {one.object_id: one.databricks_name for one in deployers if one.databricks_name is not None}
        self.deployers: dict[str, str] = named
        """The names of those who manage the stack's objects, by object ID."""
        self.names: dict[str, str] = {**named, **applications}
        """By logical name."""
        self.register_outputs({})
