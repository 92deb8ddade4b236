"""The graph's protocols on Azure: the environment, the steps in it, and the service in the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_azure_native as azure_native
from pulumi import Output, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.backend import Declared, RunningService, ScoringServiceArgs
from infra.cloud.cluster_environment import ClusterEnvironment
from infra.cloud.cluster_service import ClusterService, ClusterServiceArgs, kubeconfig
from infra.cloud.databricks_training import DatabricksTraining
from infra.cloud.environment import Environment, EnvironmentArgs
from infra.cloud.monitoring.availability import Availability, AvailabilityArgs
from infra.cloud.names import Names
from infra.cost.estimate import usd_per_month
from infra.step_resource import OutputsT_co, StepResource, later
from steps.descriptions import (
    api_key,
    canary_run,
    certificate,
    champion,
    cluster_ready,
    data_upload,
    environment,
    model_registry,
    model_version,
    rollout,
    serving_image,
    training_run,
    workspace_ready,
)
from steps.descriptions.description import Description, StepInputs
from steps.descriptions.serving_settings import RolloutKind, ScoringEngine
from steps.kinds import Place
from steps.shared.model_versions import LATEST


class CloudBackend:
    """All of one stack on Azure."""

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
        self._tried: Sequence[pulumi.Resource] = ()
        """What must have worked before there is a cluster, which costs by the hour."""
        self._target = {
            "stack": stack,
            "tenant": settings.tenant,
            "subscription": settings.subscription,
            "blob_endpoint": self._environment.storage.blob_endpoint,
            "resource_group": self._environment.groups.training.group,
            "workspace": self._environment.machine_learning.name,
            "registry_name": self._environment.registry.name,
            "login_server": self._environment.registry.server,
        }
        studio = f"https://ml.azure.com/?wsid={{}}&tid={settings.tenant}"
        self.shown: Mapping[str, Output[Any]] = {
            "machine_learning": self._environment.machine_learning.id.apply(studio.format),
            "usd_per_month": Output.from_input(usd_per_month(stack, settings)),
        }

    def open(self, name: str, options: ResourceOptions) -> Declared[model_registry.Outputs]:
        """The Azure ML workspace, and its purge at the end."""
        after = self._environment.access.models
        return Declared(step=self._step(model_registry.AZURE, name, model_registry.Inputs(), options, after=after))

    def upload(self, name: str, inputs: data_upload.Inputs, options: ResourceOptions) -> Declared[data_upload.Outputs]:
        """A folder of the lake, named by the manifest's hash."""
        after = [*self._environment.access.lake, *self._environment.storage.containers]
        return Declared(step=self._step(data_upload.AZURE, name, inputs, options, after=after))

    def train(self, name: str, inputs: training_run.Inputs, options: ResourceOptions) -> Declared[training_run.Outputs]:
        """A run of the training job on Databricks, after a small one that tries everything it needs."""
        around = self._environment
        workspace = around.databricks.workspace
        wanted = workspace_ready.Inputs.model_construct(
            workspace_id=later(workspace.id),
            workspace_host=later(workspace.workspace_url),
            workers=self._settings.training_workers > 0,
        )
        url = self._step(workspace_ready.AZURE, "workspace-ready", wanted, options).output(lambda found: found.url)
        training = DatabricksTraining("databricks-training", around, url, options)
        place = {"databricks_url": url, "databricks_workspace_id": workspace.id, "volume": training.volume}
        after = [training, *around.access.lake]
        small, own = canary_run.Inputs(tried=training.tried), {**place, "job_id": training.canary_id}
        canary = self._step(canary_run.AZURE, "canary", small, options, own, after=[*after, *around.storage.containers])
        self._tried = [canary]
        after += [canary, *around.access.models]
        step = self._step(training_run.AZURE, name, inputs, options, {**place, "job_id": training.job_id}, after=after)
        run_url = step.output(lambda found: found.run_url)
        return Declared(
            step=step,
            passed_on={
                "bundle_url": step.output(lambda found: found.bundle_url),
                "data_url": Output.from_input(inputs.location),
                "run_url": run_url,
            },
            shown={"databricks": url, "run": run_url},
        )

    def register(
        self, name: str, inputs: model_version.Inputs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> Declared[model_version.Outputs]:
        """A version in Azure ML."""
        after = [*self._environment.access.models, *self._environment.access.lake]
        step = self._step(model_version.AZURE, name, inputs, options, passed_on, after=after)
        return Declared(step=step, passed_on={"bundle_url": step.output(lambda found: found.served_url)})

    def build(
        self,
        name: str,
        inputs: serving_image.Inputs,
        engine: ScoringEngine,
        passed_on: Mapping[str, Output[Any]],
        options: ResourceOptions,
    ) -> Declared[serving_image.Outputs]:
        """An image in the container registry, recorded in Azure ML."""
        own = {
            "resource_group": self._environment.groups.serving.group,
            "private": self._environment.private is not None,
            "target": f"{engine.value}-traces" if self._settings.traces else engine.value,
        }
        after = [*self._environment.access.images, *self._environment.access.lake]
        step = self._step(serving_image.AZURE, name, inputs, options, {**passed_on, **own}, after=after)
        image = step.output(lambda found: found.image)
        record = environment.Inputs.model_construct(image=later(image), version=inputs.version)
        self._step(environment.AZURE, f"{name}-record", record, options, after=self._environment.access.models)
        return Declared(step=step, passed_on={"image": image})

    def serve(
        self, name: str, args: ScoringServiceArgs, passed_on: Mapping[str, Output[Any]], options: ResourceOptions
    ) -> RunningService:
        """Pods in the cluster behind a load balancer; their version is the champion once they are ready."""
        around = self._environment
        cluster = ClusterEnvironment(around, self._tried)
        rotation = api_key.Inputs.model_construct(registry=later(args.registry), rotation=args.settings.key_rotation)
        key = self._step(api_key.EVERYWHERE, f"{name}-key", rotation, options)
        place = around.place
        trust = self._step(certificate.AZURE, f"{name}-certificate", certificate.Inputs(host=place.host), options)
        access = self._let_in(cluster, options)
        image, refusal = self._rolled_out(f"{name}-rollout", passed_on["image"], access, args, options)
        serving = ClusterService(
            f"{name}-in-cluster",
            ClusterServiceArgs(
                cluster=cluster,
                scoring=args.settings,
                image=image,
                kubeconfig=access,
                keys=[key.output(lambda found: found.current), key.output(lambda found: found.previous)],
                certificate=trust.output(lambda found: found.certificate),
                private_key=trust.output(lambda found: found.private_key),
            ),
            options,
        )
        self._ask_from_outside(serving)
        served = champion.Inputs.model_construct(version=later(args.version), image=later(image))
        after = [serving, *around.access.models]
        marked = self._step(champion.AZURE, f"{name}-champion", served, options, refusal, after=after)
        version = marked.output(lambda found: found.champion)
        return RunningService(
            endpoint=version.apply(lambda _: f"https://{place.host}"),
            version=version,
            key=key.output(lambda found: found.current),
            shown={"authority": trust.output(lambda found: found.authority)},
        )

    def _let_in(self, cluster: ClusterEnvironment, options: ResourceOptions) -> Output[str]:
        """How the cluster is reached, once it lets the deployer in."""
        inputs = cluster_ready.Inputs.model_construct(
            cluster_id=later(cluster.kubernetes.id), kubeconfig=later(kubeconfig(cluster, self._provider))
        )
        after = [*self._environment.access.cluster, cluster.kubernetes.ready]
        ready = self._step(cluster_ready.AZURE, "cluster-ready", inputs, options, after=after)
        return ready.output(lambda found: found.access)

    def _ask_from_outside(self, serving: ClusterService) -> None:
        """Once it serves: a first `up` is no outage."""
        if not self._settings.availability_test:
            return
        around = self._environment
        args = AvailabilityArgs(
            site=around.groups.serving, names=around.names, monitoring=around.monitoring, host=around.place.host
        )
        options = ResourceOptions.merge(around.own, ResourceOptions(depends_on=[serving]))
        Availability("availability", args, options)

    def _rolled_out(
        self, name: str, image: Output[str], access: Output[str], args: ScoringServiceArgs, options: ResourceOptions
    ) -> tuple[Output[str], dict[str, Output[str]]]:
        """The image that all pods run, and what the champion is told beside: why the new one was taken back."""
        if self._settings.rollout is RolloutKind.ROLLING:
            return image, {}
        inputs = rollout.Inputs.model_construct(
            access=later(access),
            image=later(image),
            # Who goes back to a version by its number is in a hurry, and knows it.
            kind=self._settings.rollout if args.requested == LATEST else RolloutKind.ROLLING,
            percent=self._settings.candidate_percent,
            seconds=self._settings.candidate_seconds,
        )
        step = self._step(rollout.AZURE, name, inputs, options, after=self._environment.access.pods)
        return step.output(lambda found: found.stable), {"refusal": step.output(lambda found: found.refusal)}

    def _step(
        self,
        description: Description[Any, OutputsT_co],
        name: str,
        inputs: StepInputs,
        options: ResourceOptions,
        own: Mapping[str, Any] | None = None,
        *,
        after: Sequence[pulumi.Resource] = (),
    ) -> StepResource[OutputsT_co]:
        """`own` are inputs of this step that neither the graph gives nor every step on Azure has."""
        ordered = ResourceOptions.merge(options, ResourceOptions(depends_on=[*after, *self._environment.reached]))
        return StepResource(
            Place.AZURE, description, name, inputs, target={**self._target, **(own or {})}, options=ordered
        )
