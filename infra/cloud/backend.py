"""How the steps are declared on Azure: the environment, the steps in it, and the service in the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_azure_native as azure_native
from pulumi import Output, ResourceOptions

from infra.backend import RunningService, ScoringServiceArgs
from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.cluster_service import ClusterService, ClusterServiceArgs, ask_from_outside, kubeconfig
from infra.cloud.databricks_training import DatabricksTraining
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.names import names_of
from infra.cost.estimate import usd_per_month
from infra.settings import Settings, azure_settings
from infra.step_resource import StepResource
from steps import (
    api_key,
    certificate,
    champion,
    cluster_ready,
    data_upload,
    environment,
    libraries,
    model_registry,
    model_version,
    serving_image,
    training_run,
    workspace_ready,
)
from steps.job_libraries import JobLibraries, job_libraries
from steps.step import Step, StepInputs
from steps.volumes import volumes_of
from training.datasets.placed.address import Address


class CloudBackend:
    """All of one stack on Azure. The graph calls the methods in the order in which they stand here."""

    _build: StepResource
    """The image's step. The cluster, which costs by the hour, waits for it."""
    _image: Output[str]
    """What it built: the whole reference, by digest."""

    def __init__(self, stack: str, settings: Settings, data: Sequence[Address], *, recommends: bool) -> None:
        """Declare the environment; `data` are the folders of containers with data that training reads in place.

        `recommends` is whether the dataset has users and items.
        """
        self._settings = settings
        self._data = data
        self._azure = azure = azure_settings(settings)
        names = names_of(stack, azure)
        self._provider = azure_native.Provider("azure", subscription_id=azure.subscription, tenant_id=azure.tenant)
        around = EnvironmentArgs(settings=azure, names=names, recommends=recommends)
        self._environment = Environment("environment", around, ResourceOptions(providers=[self._provider]))
        self._target: dict[str, Any] = {
            "stack": stack,
            "tenant": azure.tenant,
            "subscription": azure.subscription,
            "blob_endpoint": self._environment.storage.blob_endpoint,
            "resource_group": self._environment.groups.training.group,
            "workspace": self._environment.machine_learning.name,
            "registry_name": self._environment.registry.name,
            "login_server": self._environment.registry.server,
            "volumes": volumes_of(names.catalog_object),
        }
        """Inputs by name, given to each step that has them. Some steps add values for later ones."""
        studio = f"https://ml.azure.com/?wsid={{}}&tid={azure.tenant}"
        self.shown: dict[str, Output[Any]] = {
            "machine_learning": self._environment.machine_learning.id.apply(studio.format),
            "usd_per_month": Output.from_input(usd_per_month(stack, azure, recommends=recommends)),
        }
        """Outputs of the stack that only this target has."""

    def open(self, name: str, options: ResourceOptions) -> StepResource:
        """The Azure ML workspace, which is purged at the end."""
        after = self._environment.access.models
        return self._step(model_registry.RegistryOnAzure, name, model_registry.Inputs(), options, after=after)

    def upload(self, name: str, inputs: data_upload.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """A folder of the lake, named by the manifest's hash."""
        after = [*self._environment.access.lake, *self._environment.storage.containers]
        return self._step(data_upload.DataUploadOnAzure, name, inputs, options, after=after)

    def train(self, name: str, inputs: training_run.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """A run of the training job on Databricks."""
        around = self._environment
        workspace = around.databricks.workspace
        wanted_libraries, installed = self._libraries(options)
        wanted = workspace_ready.Inputs[Output[str]](workspace_id=workspace.id, workspace_host=workspace.workspace_url)
        url = self._step(workspace_ready.WorkspaceReady, "workspace-ready", wanted, options).output("url", str)
        training = DatabricksTraining("databricks-training", around, url, wanted_libraries, options, data=self._data)
        self._target |= {"databricks_url": url, "databricks_workspace_id": workspace.id}
        after = [training, installed, *around.access.lake, *around.access.models, *around.storage.containers]
        step = self._step(
            training_run.TrainingRunOnAzure, name, inputs, options, {"job_id": training.job_id}, after=after
        )
        run_url = step.output("run_url", str)
        self._target |= {
            "bundle_url": step.output("bundle_url", str),
            "data_url": inputs.location,
            "run_url": run_url,
        }
        self.shown |= {"databricks": url, "run": run_url}
        return step

    def _libraries(self, options: ResourceOptions) -> tuple[JobLibraries, StepResource]:
        """What clusters install, and the step that puts it into the lake."""
        around, engine = self._environment, self._settings.training.engine
        found = job_libraries(self._target["volumes"], engine)
        inputs = libraries.Inputs(engine=engine, wheel=found.wheel.hash, packages=found.packages)
        after = [*around.access.lake, *around.storage.containers]
        return found, self._step(libraries.Libraries, "libraries", inputs, options, after=after)

    def register(self, name: str, inputs: model_version.Inputs[Output[str]], options: ResourceOptions) -> StepResource:
        """A version in Azure ML."""
        around = self._environment
        after = [*around.access.models, *around.access.lake, *around.storage.containers]
        step = self._step(model_version.ModelVersionOnAzure, name, inputs, options, after=after)
        self._target["bundle_url"] = step.output("served_url", str)
        return step

    def build(
        self, name: str, inputs: serving_image.Inputs[Output[str], Output[int]], options: ResourceOptions
    ) -> StepResource:
        """An image in the container registry, recorded in Azure ML."""
        engine = self._settings.scoring.engine.value
        own = {
            "resource_group": self._environment.groups.serving.group,
            "private": self._environment.private is not None,
            "target": engine,
        }
        after = [*self._environment.access.images, *self._environment.access.lake]
        self._build = step = self._step(serving_image.ServingImageOnAzure, name, inputs, options, own, after=after)
        self._image = step.output("image", str)
        record = environment.Inputs[Output[str], Output[int]](image=self._image, version=inputs.version)
        self._step(environment.Environment, f"{name}-record", record, options, after=self._environment.access.models)
        return step

    def serve(self, name: str, args: ScoringServiceArgs, options: ResourceOptions) -> RunningService:
        """Pods in the cluster behind a load balancer; their version is the champion once they are ready."""
        around = self._environment
        cluster = ClusterEnvironment(around, [self._build])
        rotation = api_key.Inputs[Output[str]](registry=args.registry, rotation=args.settings.key_rotation)
        key = self._step(api_key.ApiKeyOnAzure, f"{name}-key", rotation, options)
        place = around.place
        trust = self._step(certificate.Certificate, f"{name}-certificate", certificate.Inputs(host=place.host), options)
        access = self._let_in(cluster, options)
        serving = ClusterService(
            f"{name}-in-cluster",
            ClusterServiceArgs(
                cluster=cluster,
                scoring=args.settings,
                image=self._image,
                snapshots=around.storage.snapshots_of(args.bundle_hash) if around.recommends else None,
                kubeconfig=access,
                keys=[key.output("current", str), key.output("previous", str)],
                certificate=trust.output("certificate", str),
                private_key=trust.output("private_key", str),
            ),
            options,
        )
        ask_from_outside(around, serving)
        served = champion.Inputs[Output[str], Output[int]](version=args.version, refusal=args.refusal)
        after = [serving, *around.access.models]
        self._step(champion.ChampionOnAzure, f"{name}-champion", served, options, after=after)
        version: Output[int] = Output.all(args.version, serving.deployed).apply(lambda known: int(known[0]))
        self.shown["authority"] = trust.output("authority", str)
        return RunningService(
            endpoint=version.apply(lambda _: f"https://{place.host}"), version=version, key=key.output("current", str)
        )

    def _let_in(self, cluster: ClusterEnvironment, options: ResourceOptions) -> Output[str]:
        """A kubeconfig, once the deployer has access to the cluster."""
        inputs = cluster_ready.Inputs[Output[str]](
            cluster_id=cluster.kubernetes.id, kubeconfig=kubeconfig(cluster, self._provider)
        )
        after = [*self._environment.access.cluster, cluster.kubernetes.ready]
        return self._step(cluster_ready.ClusterReady, "cluster-ready", inputs, options, after=after).output(
            "access", str
        )

    def _step(
        self,
        step: type[Step[Any, Any]],
        name: str,
        inputs: StepInputs,
        options: ResourceOptions,
        own: Mapping[str, Any] | None = None,
        *,
        after: Sequence[pulumi.Resource] = (),
    ) -> StepResource:
        """`own` are inputs of this step alone, or with another value than for other steps."""
        ordered = ResourceOptions.merge(options, ResourceOptions(depends_on=[*after, *self._environment.reached]))
        target = {**self._target, **(own or {})}
        return StepResource(step, name, inputs, target=target, options=ordered)
