"""The program of a stack on Azure, from top to bottom, in the order in which its resources come up.

First what the steps need, then the steps of `on_machine.py`, with the same names, and at the end the cluster with the
service. The cluster costs by the hour, so it waits for the serving image: a failed training or build, or a rejected
model, costs no cluster.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pulumi
import pulumi_azure_native as azure_native
import pulumi_databricks as databricks
import pulumi_kubernetes as kubernetes
from pulumi import InvokeOutputOptions, Output, ResourceOptions
from pulumi_azure_native import containerservice

from azure_clients.volumes import CONTAINERS, volumes_of
from infra.azure_settings import ANYWHERE, Network
from infra.cloud.access import assign, assign_deployers
from infra.cloud.cluster import Kubernetes, NodePool, label_of_service_nodes, scoring_identity
from infra.cloud.container_registry import container_registry
from infra.cloud.databricks import Databricks, training_job, workspace_members
from infra.cloud.key_vault import KeyVault
from infra.cloud.machine_learning import machine_learning
from infra.cloud.monitoring import Monitoring, alerts, container_insights, send_logs
from infra.cloud.names import names_of
from infra.cloud.network import SERVICE, PrivateStack
from infra.cloud.role_list import Role
from infra.cloud.site import sites
from infra.cloud.storage import Storage
from infra.cloud.unity_catalog import catalog_volumes, lake_access
from infra.cost.estimate import usd_per_month
from infra.private import Service, divided
from infra.settings import Settings, azure_settings
from infra.step_resource import Group, StepResource
from infra.workload.names import CERTIFICATE_SECRET, KEYS_SECRET, NAMESPACE, PRIVATE_KEY_SECRET, SERVICE_ACCOUNT
from infra.workload.network import inside, on_the_internet
from infra.workload.workload import workload
from steps.api_key import ApiKeyOnAzure
from steps.certificate import Certificate
from steps.champion import ChampionOnAzure
from steps.cluster_ready import ClusterReady
from steps.data_upload import DataUploadOnAzure
from steps.image_content import serving_code_hash
from steps.job_libraries import SERVING_LIBRARIES, TRAINING_LIBRARIES, job_libraries, locked_versions
from steps.libraries import Libraries
from steps.model_registry import RegistryOnAzure
from steps.model_version import ModelVersionOnAzure
from steps.serving_image import ServingImageOnAzure
from steps.training_run import TrainingRunOnAzure
from steps.workspace_ready import WorkspaceReady
from training.datasets.manifest import Manifest
from training.datasets.placed.dataset import volume_of
from training.datasets.placed.listing import Address
from training.provenance import training_code_hash

DATABRICKS_LOGS = ("jobs", "clusters", "accounts", "unityCatalog")
CLUSTER_LOGS = ("kube-audit-admin", "guard", "cluster-autoscaler")
"""`kube-audit` would also contain every read, at a corresponding cost."""
HASH_DIGITS = 16


def on_azure(  # noqa: PLR0915 - a list of resources, to be read downwards
    settings: Settings, stack: str, manifest: Manifest, *, data: Sequence[Address], recommends: bool
) -> dict[str, Output[Any]]:
    """Declare the stack for the dataset with this manifest; return its outputs, `key` being secret.

    `data` are the folders of containers with data that training reads in place, and `recommends` is whether the dataset
    has users and items.
    """
    azure = azure_settings(settings)
    names = names_of(stack, azure)
    groups = sites(azure, names)

    # ---- What the steps need, except the serving cluster.
    provider = azure_native.Provider("azure", subscription_id=azure.subscription, tenant_id=azure.tenant)
    environment = Group("azure:Environment", "environment", ResourceOptions(providers=[provider]))
    own = ResourceOptions(parent=environment)
    private = None
    if azure.network is Network.PRIVATE:
        private = PrivateStack(
            groups.serving,
            names,
            own,
            subscription=azure.subscription,
            network_range=azure.network_range,
            peered_network=str(azure.peered_network),
            private_dns_zones=azure.private_dns_zones,
        )
    monitoring = Monitoring(
        groups.serving,
        names,
        own,
        cap_gb=azure.log_cap_gb,
        retention_days=azure.log_retention_days,
        mail=azure.alert_mail,
        given=azure.log_analytics,
    )
    workspace = Databricks(
        groups.training,
        names,
        own,
        subscription=azure.subscription,
        network=private.databricks if private else None,
    )
    storage = Storage(
        groups.training,
        names,
        own,
        replication=azure.storage_replication,
        tenant=azure.tenant,
        connector=workspace.connector.id,
    )
    vault = KeyVault(groups.serving, environment, name=names.vault, tenant=azure.tenant)
    images = container_registry(groups.serving, environment, name=names.registry, tier=azure.registry_tier)
    models = machine_learning(
        groups.training,
        environment,
        name=names.machine_learning,
        storage_account=storage.workspace.id,
        vault=vault.id,
        insights=monitoring.insights.id,
        registry=images.id,
    )
    # What must exist, in addition to a service itself, before the service can be called.
    reached: Sequence[pulumi.Resource] = []
    if private:
        reached = private.reached(
            {
                Service.LAKE: storage.lake.id,
                Service.WORKSPACE_STORAGE: storage.workspace.id,
                Service.VAULT: vault.id,
                Service.REGISTRY: images.id,
                Service.MACHINE_LEARNING: models.id,
                Service.DATABRICKS: workspace.workspace.id,
            }
        )
    # The roles before the cluster: of the deployers, and of the identity with which Databricks accesses the lake.
    roles = Group("azure:Access", "access", own)
    give = partial(assign, parent=roles, subscription=azure.subscription)
    give_deployers = partial(assign_deployers, parent=roles, deployers=azure.deployers, subscription=azure.subscription)
    uses_lake = [
        *give_deployers("lake", scope=storage.lake.id, role=Role.BLOB_DATA_CONTRIBUTOR),
        give(
            "connector-lake",
            scope=storage.lake.id,
            role=Role.BLOB_DATA_CONTRIBUTOR,
            principal=workspace.connector_principal,
        ),
    ]
    uses_models = [
        *give_deployers("workspace-blobs", scope=storage.workspace.id, role=Role.BLOB_DATA_CONTRIBUTOR),
        *give_deployers("workspace-files", scope=storage.workspace.id, role=Role.FILE_DATA_CONTRIBUTOR),
        *give_deployers("models", scope=models.id, role=Role.DATA_SCIENTIST),
    ]
    pushes_images = give_deployers("images", scope=images.id, role=Role.REGISTRY_PUSH)

    # Azure's services send their logs to Log Analytics. Azure Monitor has their metrics, for 93 days.
    logs = monitoring.logs
    watch = partial(send_logs, parent=environment, workspace=logs)
    watch("lake", resource=storage.blob_service_id)
    watch("vault", resource=vault.id)
    watch("registry", resource=images.id)
    watch("machine-learning", resource=models.id)
    watch("databricks", resource=workspace.workspace.id, categories=DATABRICKS_LOGS)
    lake = [*uses_lake, *storage.containers, *reached]
    """What a step waits for that uses the lake; those after it add what else they use."""
    registered = [*uses_models, *reached]

    # ---- The registry: the Azure ML workspace, which is purged at the end.
    opened = StepResource(
        RegistryOnAzure,
        "registry",
        Group("registry:Registry", "registry"),
        after=registered,
        stack=stack,
        tenant=azure.tenant,
        subscription=azure.subscription,
        resource_group=groups.training.group,
        workspace=models.name,
    )
    registry = opened.text("registry")

    # ---- The dataset: a folder of the lake, named by the manifest's hash.
    volumes = volumes_of(names.catalog_object)
    uploaded = StepResource(
        DataUploadOnAzure,
        "data",
        Group("data:DataUpload", "data"),
        after=lake,
        stack=stack,
        tenant=azure.tenant,
        blob_endpoint=storage.blob_endpoint,
        volumes=volumes,
        registry=registry,
        dataset=settings.dataset,
        manifest_hash=manifest.hash,
        versions=manifest.versions or None,
    )

    # ---- Training: a job on Databricks, with what it needs inside the workspace.
    trained = Group("training:TrainingRun", "training")
    found = job_libraries(volumes, settings.training.engine)
    libraries = StepResource(
        Libraries,
        "libraries",
        trained,
        after=lake,
        stack=stack,
        tenant=azure.tenant,
        blob_endpoint=storage.blob_endpoint,
        volumes=volumes,
        engine=settings.training.engine,
        wheel=found.wheel.hash,
        packages=found.packages,
    )
    ready = StepResource(
        WorkspaceReady,
        "workspace-ready",
        trained,
        after=reached,
        stack=stack,
        tenant=azure.tenant,
        workspace_id=workspace.workspace.id,
        workspace_host=workspace.workspace.workspace_url,
    )
    url = ready.text("url")
    in_workspace = Group("azure:DatabricksTraining", "databricks-training", ResourceOptions(parent=trained))
    catalog = databricks.Provider(
        "databricks",
        host=url,
        azure_workspace_resource_id=workspace.workspace.id,
        workspace_id=workspace.workspace.workspace_id,  # or else each plan asks `Me`, which needs rights
        opts=ResourceOptions(parent=in_workspace),
    )
    inner = ResourceOptions(parent=in_workspace, providers=[catalog])
    members = workspace_members(azure.deployers, azure.training_run_as, workspace.workspace, inner)
    located = lake_access(
        _after(inner, members.group),
        name=names.catalog_object,
        connector=workspace.connector.id,
        containers={name: storage.lake_url(name) for name in CONTAINERS},
        read=sorted({replace(folder, path="") for folder in data}),
        managers=members.deployers,
    )
    catalog_volumes(
        _after(inner, located, members.group, *uses_lake),
        catalog=names.catalog_object,
        lake_url=storage.lake_url,
        data={volume_of(folder): str(folder) for folder in data},
        principals=members.names,
        managers=members.deployers,
    )
    job = training_job(
        workspace.workspace,
        _after(inner, members.group),
        name=names.databricks,
        tags=groups.training.tags,
        run_as=azure.training_run_as,
        mail=azure.alert_mail,
        vm_size=azure.training_vm_size,
        workers=azure.training_workers,
        timeout_seconds=azure.training_timeout_minutes * 60,
        libraries=found,
    )
    training = StepResource(
        TrainingRunOnAzure,
        "training",
        trained,
        after=[in_workspace, libraries, *uses_models, *lake],
        stack=stack,
        tenant=azure.tenant,
        subscription=azure.subscription,
        resource_group=groups.training.group,
        workspace=models.name,
        blob_endpoint=storage.blob_endpoint,
        volumes=volumes,
        databricks_url=url,
        databricks_workspace_id=workspace.workspace.id,
        job_id=job.id,
        registry=registry,
        dataset=settings.dataset,
        location=uploaded.text("location"),
        manifest_hash=uploaded.text("uploaded_hash"),
        parameters=settings.training,
        gate=settings.gate,
        code_hash=training_code_hash(),
        libraries=locked_versions(TRAINING_LIBRARIES),
    )

    # ---- The model's version in Azure ML, and its image in the container registry.
    model = StepResource(
        ModelVersionOnAzure,
        "model",
        Group("registry:ModelVersion", "model"),
        after=[*uses_models, *lake],
        stack=stack,
        tenant=azure.tenant,
        subscription=azure.subscription,
        resource_group=groups.training.group,
        workspace=models.name,
        blob_endpoint=storage.blob_endpoint,
        registry=registry,
        bundle_hash=training.text("bundle_hash"),
        bundle_url=training.text("bundle_url"),
        data_url=uploaded.text("location"),
        run_url=training.text("run_url"),
        requested=str(settings.model_version),
    )
    version = model.output("version", int)
    built = Group("serving:ServingImage", "image")
    image = StepResource(
        ServingImageOnAzure,
        "image",
        built,
        after=[*pushes_images, *uses_lake, *reached],
        stack=stack,
        tenant=azure.tenant,
        subscription=azure.subscription,
        resource_group=groups.serving.group,
        registry_name=images.name,
        login_server=images.login_server,
        private=private is not None,
        target=settings.scoring.engine,
        blob_endpoint=storage.blob_endpoint,
        registry=registry,
        version=version,
        bundle_hash=model.text("served_hash"),
        bundle_url=model.text("served_url"),
        code_hash=serving_code_hash(),
        libraries=locked_versions(SERVING_LIBRARIES),
    )

    # ---- The cluster, the identity of its pods, and monitoring.
    scoring_nodes = NodePool(
        vm_size=azure.scoring_vm_size, nodes_min=azure.scoring_nodes_min, nodes_max=azure.scoring_nodes_max
    )
    cluster = Kubernetes(
        groups.serving,
        names,
        own,
        tenant=azure.tenant,
        version=azure.kubernetes_version,
        tier=azure.kubernetes_tier,
        authorized_ip_ranges=() if azure.authorized_ip_ranges == ANYWHERE else azure.authorized_ip_ranges,
        system=NodePool(
            vm_size=azure.system_vm_size, nodes_min=azure.system_nodes_min, nodes_max=azure.system_nodes_max
        ),
        scoring=None if azure.shares_nodes else scoring_nodes,
        zones=[zone.value for zone in azure.zones],
        pods_logs=logs if azure.container_insights else None,
        network=private.cluster if private else None,
        after=[image],
    )
    identity = scoring_identity(
        groups.serving,
        environment,
        name=names.scoring_identity,
        issuer=cluster.issuer,
        namespace=NAMESPACE,
        service_account=SERVICE_ACCOUNT,
    )
    uses_cluster = [
        *give_deployers("cluster-credentials", scope=cluster.id, role=Role.CLUSTER_USER),
        *give_deployers("cluster", scope=cluster.id, role=Role.CLUSTER_ADMIN),
    ]
    of_pods = [
        give("nodes-pull", scope=images.id, role=Role.REGISTRY_PULL, principal=cluster.kubelet_principal),
        give("pods-secrets", scope=vault.id, role=Role.SECRETS_USER, principal=identity.principal_id),
    ]
    if recommends:
        of_pods.append(
            give(
                "pods-snapshots",
                scope=storage.snapshots,
                role=Role.BLOB_DATA_READER,
                principal=identity.principal_id,
            )
        )
    watch("cluster", resource=cluster.id, categories=CLUSTER_LOGS)
    if azure.container_insights:
        container_insights(groups.serving, environment, name=names.container_rule, cluster=cluster.id, workspace=logs)
    alerts(
        groups.serving,
        names,
        environment,
        monitoring,
        cluster=cluster.id,
        namespace=NAMESPACE,
        container_logs=azure.container_insights,
    )

    # ---- The service: its keys and certificate in the vault, pods in the cluster behind a load balancer.
    serving = Group("serving:ScoringService", "service")
    place = (
        inside(names.private_host, SERVICE, private.service_address)
        if private
        else on_the_internet(names.dns_label, azure.location)
    )
    key = StepResource(
        ApiKeyOnAzure,
        "service-key",
        serving,
        after=reached,
        stack=stack,
        registry=registry,
        rotation=settings.scoring.key_rotation,
    )
    certificate = StepResource(Certificate, "service-certificate", serving, after=reached, stack=stack, host=place.host)
    # Azure's kubeconfig is the same for every deployer, and without a secret. A private cluster has a public DNS name
    # for an address that only the peered network reaches.
    credentials = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=groups.serving.group,
        resource_name=cluster.name,
        server_fqdn="public" if private else None,
        opts=InvokeOutputOptions(provider=provider, depends_on=uses_cluster),
    )
    let_in = StepResource(
        ClusterReady,
        "cluster-ready",
        serving,
        after=[*uses_cluster, cluster.ready, *reached],
        stack=stack,
        tenant=azure.tenant,
        cluster_id=cluster.id,
        kubeconfig=credentials.apply(lambda answer: answer.kubeconfigs[0].value),
    )
    in_cluster = Group("azure:ClusterService", "service-in-cluster", ResourceOptions(parent=serving))
    secrets = [
        vault.secret(KEYS_SECRET, Output.all(key.text("current"), key.text("previous")).apply(_lines)),
        vault.secret(CERTIFICATE_SECRET, certificate.text("certificate")),
        vault.secret(PRIVATE_KEY_SECRET, certificate.text("private_key")),
    ]
    objects = kubernetes.Provider(
        "cluster",
        kubeconfig=let_in.text("access"),
        enable_server_side_apply=True,
        cluster_identifier=cluster.id,
        opts=ResourceOptions(parent=in_cluster),
    )
    pods = workload(
        ResourceOptions(
            parent=in_cluster,
            providers=[objects],
            depends_on=[*secrets, *of_pods, cluster.ready],
            transformations=[partial(_gone_with, cluster.cluster)],
        ),
        image=image.text("image"),
        scoring=settings.scoring,
        place=place,
        vault=vault.name,
        tenant=azure.tenant,
        client_id=identity.client_id,
        certificate_hash=certificate.text("certificate").apply(_hash),
        snapshots=storage.snapshots_of(model.text("served_hash")) if recommends else None,
        endpoints=str(divided(azure.network_range).endpoints) if private else None,
        sources=() if azure.allowed_sources == ANYWHERE else azure.allowed_sources,
        nodes=label_of_service_nodes(shared=azure.shares_nodes),
        cpu_millicores=azure.cpu_millicores,
        memory_mib=azure.memory_mib,
        rollout_seconds=azure.rollout_seconds,
        replicas_min=azure.replicas_min,
        replicas_max=azure.replicas_max,
    )
    StepResource(
        ChampionOnAzure,
        "service-champion",
        serving,
        after=[in_cluster, *registered],
        stack=stack,
        tenant=azure.tenant,
        subscription=azure.subscription,
        resource_group=groups.training.group,
        workspace=models.name,
        blob_endpoint=storage.blob_endpoint,
        version=version,
        refusal=model.text("refusal"),
    )

    # Known once the pods are ready.
    served: Output[int] = Output.all(version, pods.id).apply(lambda known: int(known[0]))
    studio = f"https://ml.azure.com/?wsid={{}}&tid={azure.tenant}"
    return {
        "endpoint": served.apply(lambda _: f"https://{place.host}"),
        "key": key.text("current"),
        "model_version": served,
        "metrics": model.output("metrics", dict[str, Any]),
        "report": model.text("report"),
        "image_digest": image.text("digest"),
        "bundle_hash": model.text("served_hash"),
        "machine_learning": models.id.apply(studio.format),
        "usd_per_month": Output.from_input(usd_per_month(stack, azure)),
        "databricks": url,
        "run": training.text("run_url"),
        "authority": certificate.text("authority"),
    }


def _after(options: ResourceOptions, *before: pulumi.Resource) -> ResourceOptions:
    return ResourceOptions.merge(options, ResourceOptions(depends_on=list(before)))


def _gone_with(
    cluster: pulumi.Resource, declared: pulumi.ResourceTransformationArgs
) -> pulumi.ResourceTransformationResult | None:
    """Leave objects in the cluster to the cluster's deletion: of a stopped one, the API server is gone."""
    if not isinstance(declared.resource, pulumi.CustomResource):
        return None
    opts = ResourceOptions.merge(declared.opts, ResourceOptions(deleted_with=cluster))
    return pulumi.ResourceTransformationResult(declared.props, opts)


def _lines(keys: Sequence[str]) -> str:
    return "".join(f"{key}\n" for key in keys if key)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
