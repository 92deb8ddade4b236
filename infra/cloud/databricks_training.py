"""What training runs need inside the Databricks workspace, once the deployer has access to it."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, ResourceOptions

from infra.cloud.environment import Environment
from infra.cloud.training.lake_access import LakeAccess, LakeAccessArgs
from infra.cloud.training.members import Members
from infra.cloud.training.training_job import TrainingJob, TrainingJobArgs
from infra.cloud.training.volumes import Volumes, VolumesArgs
from steps.job_libraries import JobLibraries
from steps.volumes import CONTAINERS
from training.datasets.placed.address import Address
from training.datasets.placed.in_place import volume_of


class DatabricksTraining(pulumi.ComponentResource):
    """Access to the lake, and the training job, whose ID is `job_id`."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        url: Input[str],
        libraries: JobLibraries,
        opts: ResourceOptions | None = None,
        *,
        data: Sequence[Address],
    ) -> None:
        """Create everything in the workspace at `url`; `data` are the folders of others with data for training."""
        super().__init__("personalization:azure:DatabricksTraining", name, None, opts)
        workspace = environment.databricks.workspace
        provider = databricks.Provider(
            "databricks",
            host=url,
            azure_workspace_resource_id=workspace.id,
            opts=ResourceOptions(parent=self),
        )
        own = ResourceOptions(parent=self, providers=[provider])
        settings, names = environment.settings, environment.names
        members = Members("members", settings.deployers, settings.training_run_as, workspace, own)
        access = LakeAccess("lake-access", _access(environment, data, members), _after(own, members))
        volumes = VolumesArgs(
            catalog=names.catalog_object,
            lake_url=environment.storage.lake_url,
            data={volume_of(folder): str(folder) for folder in data},
            principals=members.names,
            managers=members.deployers,
        )
        Volumes("volumes", volumes, _after(own, access, members, *environment.access.lake))
        args = TrainingJobArgs(settings=settings, names=names, libraries=libraries)
        self.job_id = TrainingJob("training-job", args, workspace, _after(own, members)).job_id
        self.register_outputs({"job_id": self.job_id})


def _access(environment: Environment, data: Sequence[Address], members: Members) -> LakeAccessArgs:
    return LakeAccessArgs(
        name=environment.names.catalog_object,
        connector=environment.databricks.connector.id,
        containers={name: environment.storage.lake_url(name) for name in CONTAINERS},
        read=sorted({replace(folder, path="") for folder in data}),
        managers=members.deployers,
    )


def _after(options: ResourceOptions, *before: pulumi.Resource) -> ResourceOptions:
    return ResourceOptions.merge(options, ResourceOptions(depends_on=list(before)))
