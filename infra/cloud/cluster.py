"""The AKS cluster: its system pool, the scoring pool, its maintenance windows, and the identity of the service's pods.

AKS accepts only one change of a cluster at a time, so each resource here depends on the one before it. In the stack's
own network a cluster also needs an identity with roles on its subnets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import containerservice, managedidentity
from pulumi_azure_native.containerservice.outputs import (
    ManagedClusterOIDCIssuerProfileResponse,
    UserAssignedIdentityManagedClusterResponse,
)

from infra.azure_settings import KubernetesTier
from infra.cloud.access import assign
from infra.cloud.names import SYSTEM_POOL, Names
from infra.cloud.role_list import Role
from infra.cloud.site import Site, known
from infra.cost.scenarios import DISK_GIB
from infra.private import POD_RANGE, SERVICE_RANGE
from infra.step_resource import Group

POOL_LABEL = "personalization/pool"
"""Label of the scoring pool's nodes, the same for a pool that replaces another."""
SCORING = "scoring"
MODE_LABEL = "kubernetes.azure.com/mode"
"""AKS's own label, `system` or `user` (learn.microsoft.com/azure/aks/use-system-pools)."""


def label_of_service_nodes(*, shared: bool) -> tuple[str, str]:
    """Name and value of the label of the nodes that the service runs on: the cluster's own if they are `shared`."""
    return (MODE_LABEL, "system") if shared else (POOL_LABEL, SCORING)


@dataclass(frozen=True, kw_only=True)
class ClusterNetworkArgs:
    """Location and name of the identity, and the IDs of the subnets for nodes and load balancer."""

    site: Site
    name: str
    subscription: str
    nodes: Input[str]
    service: Input[str]


class ClusterNetwork(pulumi.ComponentResource):
    """The identity's ID and the nodes' subnet; the cluster must wait for `roles`."""

    def __init__(self, name: str, args: ClusterNetworkArgs, opts: ResourceOptions | None = None) -> None:
        """Create the identity and assign both roles."""
        super().__init__("personalization:azure:ClusterNetwork", name, None, opts)
        made = managedidentity.UserAssignedIdentity(
            "aks-identity",
            resource_name_=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.identity = made.id
        self.nodes = args.nodes
        self.roles: list[pulumi.Resource] = []
        for called, subnet in (("nodes", args.nodes), ("service", args.service)):
            self.roles.append(
                assign(
                    f"cluster-{called}-subnet",
                    self,
                    scope=subnet,
                    role=Role.NETWORK_CONTRIBUTOR,
                    principal=made.principal_id,
                    subscription=args.subscription,
                )
            )
        self.register_outputs({})


MAX_PODS = 110
WINDOWS = ("aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")
WINDOW_HOURS = 4
OUTBOUND = containerservice.OutboundType


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """The nodes of a pool; the autoscaler sets their number in between."""

    vm_size: str
    nodes_min: int
    nodes_max: int


@dataclass(frozen=True, kw_only=True)
class KubernetesArgs:
    """Location, names and sizes."""

    site: Site
    names: Names
    tenant: str
    version: str
    """Minor version of Kubernetes, of the control plane and of each pool."""
    tier: KubernetesTier
    authorized_ip_ranges: Sequence[str]
    """Those that may reach a public API server; empty for all."""
    system: NodePool
    scoring: NodePool | None
    """None: the service runs on the system nodes."""
    zones: Sequence[str]
    ephemeral_os_disks: bool
    pods_logs: Input[str] | None
    """ID of the Log Analytics workspace that gets the pods' logs, if any does."""
    network: ClusterNetwork | None
    """The nodes' network in a private stack; None: AKS creates one."""
    after: Sequence[pulumi.Resource] = ()
    """What must exist before the cluster, which costs by the hour."""


class Kubernetes(pulumi.ComponentResource):
    """The cluster. `ready` is its last change: wait for that before you use the cluster."""

    def __init__(self, name: str, args: KubernetesArgs, opts: ResourceOptions | None = None) -> None:
        """Create cluster, maintenance windows and scoring pool."""
        super().__init__("personalization:azure:Kubernetes", name, None, opts)
        self._args = args
        self.cluster = self._cluster()
        self.id = self.cluster.id
        self.name = self.cluster.name
        self.kubelet_principal = self.cluster.identity_profile.apply(_kubelet)
        self.issuer = known(self.cluster.oidc_issuer_profile.apply(_issuer))
        written: pulumi.Resource = self.cluster
        for window in WINDOWS:
            written = self._window(window, written)
        self.ready = self._scoring_pool(args.scoring, written) if args.scoring else written
        self.register_outputs({"cluster": self.id, "issuer": self.issuer})

    def _cluster(self) -> containerservice.ManagedCluster:
        site, args = self._args.site, self._args
        return containerservice.ManagedCluster(
            "cluster",
            resource_name_=self._args.names.cluster,
            resource_group_name=site.group,
            location=site.location,
            node_resource_group=self._args.names.nodes_group,
            dns_prefix=self._args.names.dns_prefix,
            kubernetes_version=args.version,
            sku=containerservice.ManagedClusterSKUArgs(name="Base", tier=args.tier.value),
            identity=self._identity(),
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile=containerservice.ManagedClusterAADProfileArgs(
                managed=True, enable_azure_rbac=True, tenant_id=args.tenant
            ),
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=_security(),
            network_profile=_network(self._args.network),
            addon_profiles=self._addons(),
            agent_pool_profiles=[self._system_pool(args.system)],
            api_server_access_profile=self._api_server(),
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel=containerservice.UpgradeChannel.PATCH,
                node_os_upgrade_channel=containerservice.NodeOSUpgradeChannel.NODE_IMAGE,
            ),
            tags=site.tags,
            # The autoscaler sets the count. After a refresh the list also contains the scoring pool, see `state_edits`.
            opts=ResourceOptions(
                parent=self,
                ignore_changes=["agentPoolProfiles[*].count"],
                depends_on=[*self._args.after, *(self._args.network.roles if self._args.network else ())],
            ),
        )

    def _identity(self) -> containerservice.ManagedClusterIdentityArgs:
        """In the stack's own network the cluster needs roles before it exists, and so an existing identity."""
        if self._args.network is None:
            return containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.SYSTEM_ASSIGNED
            )
        return containerservice.ManagedClusterIdentityArgs(
            type=containerservice.ResourceIdentityType.USER_ASSIGNED,
            user_assigned_identities=[self._args.network.identity],
        )

    def _api_server(self) -> containerservice.ManagedClusterAPIServerAccessProfileArgs:
        """A private one has an address in the network and a public DNS name, so it needs no private zone."""
        if self._args.network is None:
            return containerservice.ManagedClusterAPIServerAccessProfileArgs(
                authorized_ip_ranges=list(self._args.authorized_ip_ranges)
            )
        return containerservice.ManagedClusterAPIServerAccessProfileArgs(
            enable_private_cluster=True, enable_private_cluster_public_fqdn=True, private_dns_zone="none"
        )

    def _system_pool(self, pool: NodePool) -> containerservice.ManagedClusterAgentPoolProfileArgs:
        return containerservice.ManagedClusterAgentPoolProfileArgs(
            name=SYSTEM_POOL,
            mode=containerservice.AgentPoolMode.SYSTEM,
            type=containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
            os_type=containerservice.OSType.LINUX,
            os_disk_type=self._disk(),
            os_disk_size_gb=DISK_GIB,
            vm_size=pool.vm_size,
            vnet_subnet_id=self._subnet(),
            # Set on each pool, which otherwise keeps its version when the control plane is upgraded.
            orchestrator_version=self._args.version,
            count=pool.nodes_min,
            min_count=pool.nodes_min,
            max_count=pool.nodes_max,
            enable_auto_scaling=True,
            availability_zones=list(self._args.zones),
            max_pods=MAX_PODS,
            upgrade_settings=containerservice.AgentPoolUpgradeSettingsArgs(max_surge="1"),
        )

    def _scoring_pool(self, pool: NodePool, written: pulumi.Resource) -> containerservice.AgentPool:
        """Properties that can't change in place are part of its name, so a new pool exists before the old one is
        deleted."""
        zones = list(self._args.zones)
        return containerservice.AgentPool(
            "scoring-pool",
            agent_pool_name=self._args.names.scoring_pool(pool.vm_size, *zones),
            resource_name_=self.cluster.name,
            resource_group_name=self._args.site.group,
            mode=containerservice.AgentPoolMode.USER,
            type=containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
            os_type=containerservice.OSType.LINUX,
            os_disk_type=self._disk(),
            os_disk_size_gb=DISK_GIB,
            vm_size=pool.vm_size,
            vnet_subnet_id=self._subnet(),
            orchestrator_version=self._args.version,
            count=pool.nodes_min,
            min_count=pool.nodes_min,
            max_count=pool.nodes_max,
            enable_auto_scaling=True,
            availability_zones=zones,
            max_pods=MAX_PODS,
            node_labels={POOL_LABEL: SCORING},
            node_taints=[f"{POOL_LABEL}={SCORING}:NoSchedule"],
            upgrade_settings=containerservice.AgentPoolUpgradeSettingsArgs(max_surge="1"),
            tags=self._args.site.tags,
            opts=ResourceOptions(
                parent=self,
                depends_on=[written],
                deleted_with=self.cluster,  # AKS changes no pool of a stopped cluster, but deletes the cluster
                ignore_changes=["count"],
                delete_before_replace=False,  # Azure's provider would delete the pods' nodes first
            ),
        )

    def _subnet(self) -> Input[str] | None:
        return self._args.network.nodes if self._args.network else None

    def _disk(self) -> containerservice.OSDiskType:
        ephemeral = self._args.ephemeral_os_disks
        return containerservice.OSDiskType.EPHEMERAL if ephemeral else containerservice.OSDiskType.MANAGED

    def _window(self, window: str, written: pulumi.Resource) -> containerservice.MaintenanceConfiguration:
        weekly = containerservice.WeeklyScheduleArgs(day_of_week=containerservice.WeekDay.SUNDAY, interval_weeks=1)
        return containerservice.MaintenanceConfiguration(
            window,
            config_name=window,
            resource_name_=self.cluster.name,
            resource_group_name=self._args.site.group,
            maintenance_window=containerservice.MaintenanceWindowArgs(
                duration_hours=WINDOW_HOURS,
                start_time="02:00",
                schedule=containerservice.ScheduleArgs(weekly=weekly),
            ),
            opts=ResourceOptions(parent=self, depends_on=[written], deleted_with=self.cluster),
        )

    def _addons(self) -> dict[str, containerservice.ManagedClusterAddonProfileArgs]:
        addons = {
            "azureKeyvaultSecretsProvider": containerservice.ManagedClusterAddonProfileArgs(
                enabled=True, config={"enableSecretRotation": "true", "rotationPollInterval": "2m"}
            )
        }
        if self._args.pods_logs is not None:
            addons["omsagent"] = containerservice.ManagedClusterAddonProfileArgs(
                enabled=True, config={"logAnalyticsWorkspaceResourceID": self._args.pods_logs, "useAADAuth": "true"}
            )
        return addons


def _security() -> containerservice.ManagedClusterSecurityProfileArgs:
    return containerservice.ManagedClusterSecurityProfileArgs(
        workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
        image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
            enabled=True, interval_hours=7 * 24
        ),
    )


def _network(own: ClusterNetwork | None) -> containerservice.ContainerServiceNetworkProfileArgs:
    return containerservice.ContainerServiceNetworkProfileArgs(
        network_plugin=containerservice.NetworkPlugin.AZURE,
        network_plugin_mode=containerservice.NetworkPluginMode.OVERLAY,
        network_dataplane=containerservice.NetworkDataplane.CILIUM,
        network_policy=containerservice.NetworkPolicy.CILIUM,
        load_balancer_sku=containerservice.LoadBalancerSku.STANDARD,
        outbound_type=OUTBOUND.USER_ASSIGNED_NAT_GATEWAY if own else OUTBOUND.LOAD_BALANCER,
        pod_cidr=POD_RANGE,
        service_cidr=SERVICE_RANGE,
        dns_service_ip="10.0.0.10",
    )


def _issuer(profile: ManagedClusterOIDCIssuerProfileResponse | None) -> str | None:
    return profile.issuer_url if profile else None


def _kubelet(profile: Mapping[str, UserAssignedIdentityManagedClusterResponse] | None) -> str:
    """Object ID of the identity with which the nodes pull images."""
    object_id = (profile or {})["kubeletidentity"].object_id
    if object_id is None:
        raise ValueError("Azure returned no object ID for the nodes' identity")
    return object_id


AUDIENCE = "api://AzureADTokenExchange"


def scoring_identity(
    site: Site, parent: pulumi.Resource, *, name: str, issuer: Input[str], namespace: str, service_account: str
) -> managedidentity.UserAssignedIdentity:
    """The identity of the service's pods, linked to their service account by the cluster's OIDC `issuer`."""
    own = ResourceOptions(parent=Group("azure:ScoringIdentity", "scoring-identity", ResourceOptions(parent=parent)))
    identity = managedidentity.UserAssignedIdentity(
        "scoring-identity",
        resource_name_=name,
        resource_group_name=site.group,
        location=site.location,
        tags=site.tags,
        opts=own,
    )
    managedidentity.FederatedIdentityCredential(
        "scoring-credential",
        federated_identity_credential_resource_name="scoring",
        resource_name_=identity.name,
        resource_group_name=site.group,
        issuer=issuer,
        subject=f"system:serviceaccount:{namespace}:{service_account}",
        audiences=[AUDIENCE],
        opts=own,
    )
    return identity
