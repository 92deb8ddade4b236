"""What the training runs need inside the Databricks workspace, once it lets the deployer in."""

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from infra.cloud.environment import Environment
from infra.cloud.storage import MODELS, RAW
from infra.cloud.training.lake_access import LakeAccess, LakeAccessArgs
from infra.cloud.training.training_job import TrainingJob, TrainingJobArgs
from infra.cloud.training.wheel import build_wheel


class DatabricksTraining(pulumi.ComponentResource):
    """Access to the lake, and the job. `job_id` is the job's, for runs of it."""

    def __init__(
        self, name: str, environment: Environment, url: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        """Make both in the workspace at `url`."""
        super().__init__("personalization:azure:DatabricksTraining", name, None, opts)
        workspace = environment.databricks.workspace
        provider = databricks.Provider(
            "databricks",
            host=url,
            azure_workspace_resource_id=workspace.id,
            opts=ResourceOptions(parent=self),
        )
        own = ResourceOptions(parent=self, providers=[provider])
        LakeAccess(
            "lake-access",
            LakeAccessArgs(
                name=environment.names.catalog_object,
                connector=environment.databricks.connector.id,
                containers={name: environment.storage.lake_url(name) for name in (RAW, MODELS)},
                deployers=environment.settings.deployers,
            ),
            own,
        )
        args = TrainingJobArgs(settings=environment.settings, names=environment.names, wheel=build_wheel())
        self.job_id = TrainingJob("training-job", args, workspace, own).job_id
        self.register_outputs({"job_id": self.job_id})
