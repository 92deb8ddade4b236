"""The AKS cluster: its system pool, the scoring pool, its maintenance windows, and the identity of the service's pods.

AKS accepts only one change of a cluster at a time, so each resource here depends on the one before it. In the stack's
own network a cluster also needs an identity with roles on its subnets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import containerservice, managedidentity
from pulumi_azure_native.containerservice.outputs import (
    UserAssignedIdentityManagedClusterResponse,
)

from infra.azure_settings import KubernetesTier, has_own_disk
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
class ClusterNetwork:
    """The identity's ID and the nodes' subnet; the cluster must wait for `roles`."""

    identity: Input[str]
    nodes: Input[str]
    roles: Sequence[pulumi.Resource]


def cluster_network(
    site: Site, opts: ResourceOptions, *, name: str, subscription: str, nodes: Input[str], service: Input[str]
) -> ClusterNetwork:
    """An identity with roles on the subnets for nodes and load balancer, both by ID."""
    group = Group("azure:ClusterNetwork", "cluster-network", opts)
    made = managedidentity.UserAssignedIdentity(
        "aks-identity",
        resource_name_=name,
        resource_group_name=site.group,
        location=site.location,
        tags=site.tags,
        opts=ResourceOptions(parent=group),
    )
    roles = [
        assign(
            f"cluster-{called}-subnet",
            group,
            scope=subnet,
            role=Role.NETWORK_CONTRIBUTOR,
            principal=made.principal_id,
            subscription=subscription,
        )
        for called, subnet in (("nodes", nodes), ("service", service))
    ]
    return ClusterNetwork(identity=made.id, nodes=nodes, roles=roles)


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

    @property
    def sizes(self) -> dict[str, Any]:
        """As arguments of either kind of pool."""
        disks = containerservice.OSDiskType
        return {
            "vm_size": self.vm_size,
            # On the VM's own disk it is free and fast. It can't be changed later, and neither can the size.
            "os_disk_type": disks.EPHEMERAL if has_own_disk(self.vm_size) else disks.MANAGED,
            "count": self.nodes_min,
            "min_count": self.nodes_min,
            "max_count": self.nodes_max,
            "enable_auto_scaling": True,
        }


class Kubernetes(pulumi.ComponentResource):
    """The cluster. `ready` is its last change: wait for that before you use the cluster."""

    def __init__(
        self,
        site: Site,
        names: Names,
        opts: ResourceOptions,
        *,
        tenant: str,
        version: str,
        tier: KubernetesTier,
        authorized_ip_ranges: Sequence[str],
        system: NodePool,
        scoring: NodePool | None,
        zones: Sequence[str],
        pods_logs: Input[str] | None,
        network: ClusterNetwork | None,
        after: Sequence[pulumi.Resource],
    ) -> None:
        """Create cluster, maintenance windows and scoring pool, once all of `after` exists.

        `version` is Kubernetes' minor version, `authorized_ip_ranges` are those that may reach a public API server
        (empty for all), `pods_logs` is the ID of the Log Analytics workspace that gets the pods' logs, if any does, and
        `network` the nodes' in a private stack; else AKS creates one. Without `scoring` the service runs on the system
        nodes.
        """
        super().__init__("personalization:azure:Kubernetes", "kubernetes", None, opts)
        nodes: dict[str, Any] = {
            "type": containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS,
            "os_type": containerservice.OSType.LINUX,
            "os_disk_size_gb": DISK_GIB,
            "vnet_subnet_id": network.nodes if network else None,
            # Set on each pool, which otherwise keeps its version when the control plane is upgraded.
            "orchestrator_version": version,
            "availability_zones": list(zones),
            "max_pods": MAX_PODS,
            "upgrade_settings": containerservice.AgentPoolUpgradeSettingsArgs(max_surge="1"),
        }
        """What both pools have."""
        self.cluster = containerservice.ManagedCluster(
            "cluster",
            resource_name_=names.cluster,
            resource_group_name=site.group,
            location=site.location,
            node_resource_group=names.nodes_group,
            dns_prefix=names.dns_prefix,
            kubernetes_version=version,
            sku=containerservice.ManagedClusterSKUArgs(name="Base", tier=tier.value),
            identity=_identity(network),
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile=containerservice.ManagedClusterAADProfileArgs(
                managed=True, enable_azure_rbac=True, tenant_id=tenant
            ),
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=_security(),
            network_profile=_network(network),
            addon_profiles=_addons(pods_logs),
            agent_pool_profiles=[
                containerservice.ManagedClusterAgentPoolProfileArgs(
                    name=SYSTEM_POOL, mode=containerservice.AgentPoolMode.SYSTEM, **nodes, **system.sizes
                )
            ],
            api_server_access_profile=_api_server(network, authorized_ip_ranges),
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel=containerservice.UpgradeChannel.PATCH,
                node_os_upgrade_channel=containerservice.NodeOSUpgradeChannel.NODE_IMAGE,
            ),
            tags=site.tags,
            # The autoscaler sets the count, and AKS changes no disk: nodes made with another one keep it. After a
            # refresh the list also contains the scoring pool, see `forget_shown_pools`.
            opts=ResourceOptions(
                parent=self,
                ignore_changes=["agentPoolProfiles[*].count", "agentPoolProfiles[*].osDiskType"],
                depends_on=[*after, *(network.roles if network else ())],
            ),
        )
        self.id = self.cluster.id
        self.name = self.cluster.name
        self.kubelet_principal = self.cluster.identity_profile.apply(_kubelet)
        issued = self.cluster.oidc_issuer_profile
        self.issuer = known(issued.apply(lambda profile: profile.issuer_url if profile else None))
        self.ready: pulumi.Resource = self.cluster
        for window in WINDOWS:
            weekly = containerservice.WeeklyScheduleArgs(day_of_week=containerservice.WeekDay.SUNDAY, interval_weeks=1)
            self.ready = containerservice.MaintenanceConfiguration(
                window,
                config_name=window,
                resource_name_=self.cluster.name,
                resource_group_name=site.group,
                maintenance_window=containerservice.MaintenanceWindowArgs(
                    duration_hours=WINDOW_HOURS,
                    start_time="02:00",
                    schedule=containerservice.ScheduleArgs(weekly=weekly),
                ),
                opts=ResourceOptions(parent=self, depends_on=[self.ready], deleted_with=self.cluster),
            )
        if scoring:
            self.ready = containerservice.AgentPool(
                "scoring-pool",
                # What can't change in place is part of its name, so a new pool exists before the old one is deleted.
                agent_pool_name=names.scoring_pool(scoring.vm_size, *zones),
                resource_name_=self.cluster.name,
                resource_group_name=site.group,
                mode=containerservice.AgentPoolMode.USER,
                node_labels={POOL_LABEL: SCORING},
                node_taints=[f"{POOL_LABEL}={SCORING}:NoSchedule"],
                tags=site.tags,
                **nodes,
                **scoring.sizes,
                opts=ResourceOptions(
                    parent=self,
                    depends_on=[self.ready],
                    deleted_with=self.cluster,  # AKS changes no pool of a stopped cluster, but deletes the cluster
                    ignore_changes=["count", "osDiskType"],
                    delete_before_replace=False,  # Azure's provider would delete the pods' nodes first
                ),
            )
        self.register_outputs({})


def _identity(own: ClusterNetwork | None) -> containerservice.ManagedClusterIdentityArgs:
    """In the stack's own network the cluster needs roles before it exists, and so an existing identity."""
    kinds = containerservice.ResourceIdentityType
    if own is None:
        return containerservice.ManagedClusterIdentityArgs(type=kinds.SYSTEM_ASSIGNED)
    return containerservice.ManagedClusterIdentityArgs(
        type=kinds.USER_ASSIGNED, user_assigned_identities=[own.identity]
    )


def _api_server(
    own: ClusterNetwork | None, ranges: Sequence[str]
) -> containerservice.ManagedClusterAPIServerAccessProfileArgs:
    """A private one has an address in the network and a public DNS name, so it needs no private zone."""
    if own is None:
        return containerservice.ManagedClusterAPIServerAccessProfileArgs(authorized_ip_ranges=list(ranges))
    return containerservice.ManagedClusterAPIServerAccessProfileArgs(
        enable_private_cluster=True, enable_private_cluster_public_fqdn=True, private_dns_zone="none"
    )


def _addons(pods_logs: Input[str] | None) -> dict[str, containerservice.ManagedClusterAddonProfileArgs]:
    addons = {
        "azureKeyvaultSecretsProvider": containerservice.ManagedClusterAddonProfileArgs(
            enabled=True, config={"enableSecretRotation": "true", "rotationPollInterval": "2m"}
        )
    }
    if pods_logs is not None:
        addons["omsagent"] = containerservice.ManagedClusterAddonProfileArgs(
            enabled=True, config={"logAnalyticsWorkspaceResourceID": pods_logs, "useAADAuth": "true"}
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
