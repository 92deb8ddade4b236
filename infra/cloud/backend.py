"""The graph's protocols on Azure: the environment, the steps in it, and the service in the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_azure_native as azure_native
from pulumi import Output, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.backend import (
    BuiltImage,
    DataUploadArgs,
    ModelVersionArgs,
    RegisteredModel,
    RunningService,
    ScoringServiceArgs,
    ServingImageArgs,
    TrainedModel,
    TrainingRunArgs,
    UploadedData,
)
from infra.cloud.cluster_service import ClusterService, ClusterServiceArgs, kubeconfig
from infra.cloud.databricks_training import DatabricksTraining
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.names import Names
from infra.cost.monthly import usd_per_month
from infra.step_resource import StepResource
from steps.kinds import Kind, Place
from steps.shared.model_versions import LATEST
from steps.shared.serving_settings import RolloutKind


class CloudBackend:
    """All of one stack on Azure. The steps are asked for in the graph's order, each once."""

    def __init__(self, stack: str, settings: AzureSettings) -> None:
        """Declare the environment."""
        self._settings = settings
        names = Names(stack=stack, subscription=settings.subscription, suffix=settings.suffix)
        self._provider = azure_native.Provider(
            "azure", subscription_id=settings.subscription, tenant_id=settings.tenant
        )
        self._environment = Environment(
            "environment",
            EnvironmentArgs(settings=settings, names=names),
            ResourceOptions(providers=[self._provider]),
        )
        self._common = {"stack": stack, "tenant": settings.tenant}
        self._lake = {"blob_endpoint": self._environment.storage.blob_endpoint}
        self._machine_learning = {
            "subscription": settings.subscription,
            "resource_group": self._environment.groups.training.group,
            "workspace": self._environment.machine_learning.name,
        }
        self._steps: dict[Kind, StepResource] = {}
        self._requested: str | int = LATEST
        studio = f"https://ml.azure.com/?wsid={{}}&tid={settings.tenant}"
        self.outputs: dict[str, Output[Any]] = {
            "machine_learning": self._environment.machine_learning.id.apply(studio.format),
            "usd_per_month": Output.from_input(usd_per_month(stack, settings)),
        }
        """What the stack shows beside what every stack does."""

    def open(self, name: str, options: ResourceOptions) -> Output[str]:
        """The Azure ML workspace, and its purge at the end."""
        step = self._step(Kind.REGISTRY, name, self._machine_learning, options, after=self._environment.access.models)
        return step.output("registry")

    def upload(self, name: str, args: DataUploadArgs, options: ResourceOptions) -> UploadedData:
        """A folder of the lake, named by the manifest's hash."""
        inputs = {
            **self._lake,
            "registry": args.registry,
            "dataset": args.dataset.model_dump(mode="json"),
            "manifest_hash": args.manifest_hash,
        }
        after = [*self._environment.access.lake, *self._environment.storage.containers]
        step = self._step(Kind.DATA_UPLOAD, name, inputs, options, after=after)
        return UploadedData(location=step.output("location"), manifest_hash=step.output("uploaded_hash"))

    def train(self, name: str, args: TrainingRunArgs, options: ResourceOptions) -> TrainedModel:
        """A run of the training job on Databricks."""
        workspace = self._environment.databricks.workspace
        ready = self._step(
            Kind.WORKSPACE_READY,
            "workspace-ready",
            {"workspace_id": workspace.id, "workspace_host": workspace.workspace_url},
            options,
        )
        training = DatabricksTraining("databricks-training", self._environment, ready.output("url"), options)
        inputs = {
            **self._machine_learning,
            **self._lake,
            "registry": args.registry,
            "dataset": args.dataset.model_dump(mode="json"),
            "location": args.location,
            "manifest_hash": args.manifest_hash,
            "parameters": args.parameters.model_dump(mode="json"),
            "gate": args.gate.model_dump(mode="json"),
            "code_hash": args.code_hash,
            "databricks_url": ready.output("url"),
            "databricks_workspace_id": workspace.id,
            "job_id": training.job_id,
        }
        after = [training, *self._environment.access.lake, *self._environment.access.models]
        step = self._step(Kind.TRAINING_RUN, name, inputs, options, after=after)
        self.outputs["databricks"] = ready.output("url")
        self.outputs["run"] = step.output("run_url")
        return TrainedModel(bundle=step.output("bundle"), bundle_hash=step.output("bundle_hash"))

    def register(self, name: str, args: ModelVersionArgs, options: ResourceOptions) -> RegisteredModel:
        """A version in Azure ML."""
        self._requested = args.requested
        trained = self._steps[Kind.TRAINING_RUN]
        inputs = {
            **self._machine_learning,
            **self._lake,
            "registry": args.registry,
            "bundle": args.bundle,
            "bundle_hash": args.bundle_hash,
            "bundle_url": trained.output("bundle_url"),
            "data_url": self._steps[Kind.DATA_UPLOAD].output("location"),
            "run_url": trained.output("run_url"),
            "requested": str(args.requested),
        }
        after = [*self._environment.access.models, *self._environment.access.lake]
        step = self._step(Kind.MODEL_VERSION, name, inputs, options, after=after)
        return RegisteredModel(
            version=step.output("version").apply(int),
            bundle_hash=step.output("served_hash"),
            metrics=step.output("metrics"),
            report=step.output("report"),
        )

    def build(self, name: str, args: ServingImageArgs, options: ResourceOptions) -> BuiltImage:
        """An image in the container registry, recorded in Azure ML."""
        inputs = {
            **self._lake,
            "subscription": self._settings.subscription,
            "resource_group": self._environment.groups.serving.group,
            "registry_name": self._environment.registry.name,
            "login_server": self._environment.registry.server,
            "registry": args.registry,
            "version": args.version,
            "bundle_hash": args.bundle_hash,
            "bundle_url": self._steps[Kind.MODEL_VERSION].output("served_url"),
            "target": f"{args.engine}-traces" if self._settings.traces else args.engine,
            "code_hash": args.code_hash,
        }
        after = [*self._environment.access.images, *self._environment.access.lake]
        step = self._step(Kind.SERVING_IMAGE, name, inputs, options, after=after)
        record = {**self._machine_learning, "image": step.output("image"), "version": args.version}
        self._step(Kind.ENVIRONMENT, f"{name}-record", record, options, after=self._environment.access.models)
        return BuiltImage(digest=step.output("digest"))

    def serve(self, name: str, args: ScoringServiceArgs, options: ResourceOptions) -> RunningService:
        """Pods in the cluster behind a load balancer; their version is the champion once they are ready."""
        environment = self._environment
        rotation = {"registry": args.registry, "rotation": args.settings.key_rotation}
        key = self._step(Kind.API_KEY, f"{name}-key", rotation, options)
        host = f"{environment.names.dns_label}.{environment.settings.location}.cloudapp.azure.com"
        certificate = self._step(Kind.CERTIFICATE, f"{name}-certificate", {"host": host}, options)
        reached = {"cluster_id": environment.kubernetes.id, "kubeconfig": kubeconfig(environment, self._provider)}
        after = [*environment.access.cluster, environment.kubernetes.ready]
        ready = self._step(Kind.CLUSTER_READY, "cluster-ready", reached, options, after=after)
        image, refusal = self._rolled_out(f"{name}-rollout", ready.output("access"), options)
        serving = ClusterService(
            f"{name}-in-cluster",
            ClusterServiceArgs(
                environment=environment,
                scoring=args.settings,
                image=image,
                kubeconfig=ready.output("access"),
                keys=[key.output("current"), key.output("previous")],
                certificate=certificate.output("certificate"),
                private_key=certificate.output("private_key"),
            ),
            options,
        )
        served = {**self._machine_learning, "version": args.version, "image": image, **refusal}
        after = [serving, *environment.access.models]
        champion = self._step(Kind.CHAMPION, f"{name}-champion", served, options, after=after).output("champion")
        self.outputs["authority"] = certificate.output("authority")
        return RunningService(
            endpoint=champion.apply(lambda _: f"https://{host}"),
            version=champion.apply(int),
            key=Output.secret(key.output("current")),
        )

    def _rolled_out(
        self, name: str, access: Output[str], options: ResourceOptions
    ) -> tuple[Output[str], dict[str, Output[str]]]:
        """The image that all pods run, and what the champion is told beside: why the new one was taken back."""
        image = self._steps[Kind.SERVING_IMAGE].output("image")
        if self._settings.rollout is RolloutKind.ROLLING:
            return image, {}
        # Who goes back to a version by its number is in a hurry, and knows it.
        kind = self._settings.rollout if self._requested == LATEST else RolloutKind.ROLLING
        inputs = {
            "access": access,
            "image": image,
            "kind": kind,
            "percent": self._settings.candidate_percent,
            "seconds": self._settings.candidate_seconds,
        }
        step = self._step(Kind.ROLLOUT, name, inputs, options, after=self._environment.access.pods)
        return step.output("stable"), {"refusal": step.output("refusal")}

    def _step(
        self,
        kind: Kind,
        name: str,
        inputs: Mapping[str, Any],
        options: ResourceOptions,
        *,
        after: Sequence[pulumi.Resource] = (),
    ) -> StepResource:
        own = ResourceOptions.merge(options, ResourceOptions(depends_on=list(after)))
        local = kind in (Kind.API_KEY, Kind.CERTIFICATE)
        common = {"stack": self._common["stack"]} if local else self._common
        self._steps[kind] = StepResource(Place.AZURE, kind, name, {**common, **inputs}, own)
        return self._steps[kind]
