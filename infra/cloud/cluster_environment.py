"""The serving cluster and the Azure resources around it; their parent is the environment.

The cluster costs by the hour, so it waits for the serving image: a failed training or build, or a rejected model, costs
no cluster.
"""

from collections.abc import Sequence

import pulumi

from infra.cloud.access import ClusterAccessArgs
from infra.cloud.environment import Environment
from infra.cloud.monitoring.alerts import Alerts, AlertsArgs
from infra.cloud.monitoring.container_insights import ContainerInsights, ContainerInsightsArgs
from infra.cloud.monitoring.log_analytics import DiagnosticsArgs
from infra.cloud.serving.identities import ScoringIdentity, ScoringIdentityArgs
from infra.cloud.serving.kubernetes import Kubernetes, KubernetesArgs
from steps.cluster_names import NAMESPACE, SERVICE_ACCOUNT

CLUSTER_LOGS = ("kube-audit-admin", "guard", "cluster-autoscaler")
"""`kube-audit` would also contain every read, at a corresponding cost."""


class ClusterEnvironment:
    """The cluster, the identity of its pods, and monitoring; their roles are in the environment's `access`."""

    def __init__(self, environment: Environment, after: Sequence[pulumi.Resource]) -> None:
        """Create all of it; the cluster waits for everything in `after`."""
        self.environment = environment
        self._own = environment.own
        self.kubernetes = self._kubernetes(after)
        self.identity = self._identity()
        self._open()
        self._watch()

    def _kubernetes(self, after: Sequence[pulumi.Resource]) -> Kubernetes:
        around = self.environment
        args = KubernetesArgs(
            site=around.groups.serving,
            names=around.names,
            settings=around.settings,
            logs=around.monitoring.logs,
            network=around.private.cluster if around.private else None,
            after=after,
        )
        return Kubernetes("kubernetes", args, self._own)

    def _identity(self) -> ScoringIdentity:
        args = ScoringIdentityArgs(
            site=self.environment.groups.serving,
            name=self.environment.names.scoring_identity,
            issuer=self.kubernetes.issuer,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
        )
        return ScoringIdentity("scoring-identity", args, self._own)

    def _open(self) -> None:
        around = self.environment
        args = ClusterAccessArgs(
            cluster=self.kubernetes.id,
            registry=around.registry.id,
            vault=around.vault.id,
            kubelet_principal=self.kubernetes.kubelet_principal,
            scoring_principal=self.identity.principal_id,
            snapshots=around.storage.snapshots if around.recommends else None,
        )
        around.access.open_cluster(args)

    def _watch(self) -> None:
        around = self.environment
        logs = around.monitoring.logs
        around.watch("cluster", DiagnosticsArgs(resource=self.kubernetes.id, workspace=logs, categories=CLUSTER_LOGS))
        if around.settings.container_insights:
            self._container_insights()
        alerts = AlertsArgs(
            site=around.groups.serving,
            names=around.names,
            cluster=self.kubernetes.id,
            logs=logs,
            operators=around.monitoring.operators.id,
            namespace=NAMESPACE,
            container_logs=around.settings.container_insights,
            recommends=around.recommends,
        )
        Alerts("alerts", alerts, self._own)

    def _container_insights(self) -> None:
        args = ContainerInsightsArgs(
            site=self.environment.groups.serving,
            name=self.environment.names.container_rule,
            cluster=self.kubernetes.id,
            workspace=self.environment.monitoring.logs,
        )
        ContainerInsights("container-insights", args, self._own)
