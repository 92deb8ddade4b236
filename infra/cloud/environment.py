"""All Azure resources that the steps need, except the serving cluster (`cluster_environment`)."""

from dataclasses import dataclass, replace

import pulumi
from pulumi import Input, ResourceOptions

from infra.azure_settings import AzureSettings
from infra.cloud.access import Access, AccessArgs
from infra.cloud.machine_learning import MachineLearning, MachineLearningArgs
from infra.cloud.monitoring.log_analytics import DiagnosticsArgs, Monitoring, MonitoringArgs, send_logs
from infra.cloud.names import Names
from infra.cloud.network.private_network import SERVICE
from infra.cloud.network.private_stack import PrivateStack, PrivateStackArgs
from infra.cloud.serving.container_registry import ContainerRegistry, ContainerRegistryArgs
from infra.cloud.serving.key_vault import KeyVault, KeyVaultArgs
from infra.cloud.site import sites
from infra.cloud.storage import Storage, StorageArgs
from infra.cloud.training.databricks import Databricks, DatabricksArgs
from infra.private_links import Service
from infra.setting_types import Network
from infra.workload.place import Place, inside, on_the_internet

DATABRICKS_LOGS = ("jobs", "clusters", "accounts", "unityCatalog")
STORAGE_METRICS = "Transaction"
"""Storage has this category instead of `AllMetrics`, which Azure refuses for it with a 400
(Azure/terraform-azurerm-avm-res-storage-storageaccount#325), or stores under other names, which is drift; Microsoft's
own Bicep modules still deploy it."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """Sizes and names."""

    settings: AzureSettings
    names: Names
    recommends: bool = False
    """Whether the dataset has users and items, so that the service recommends."""


class Environment(pulumi.ComponentResource):
    """The stack's Azure resources without its cluster, one attribute for each service."""

    def __init__(self, name: str, args: EnvironmentArgs, opts: ResourceOptions | None = None) -> None:
        """Create all of it."""
        super().__init__("personalization:azure:Environment", name, None, opts)
        self.settings, self.names, self.recommends = args.settings, args.names, args.recommends
        self.own = ResourceOptions(parent=self)
        self.groups = sites(self.settings, self.names)
        self.private = self._private_stack()
        self.monitoring = self._monitoring()
        self.databricks = Databricks(
            "databricks",
            DatabricksArgs(
                site=self.groups.training,
                subscription=self.settings.subscription,
                names=self.names,
                network=self.private.databricks if self.private else None,
            ),
            self.own,
        )
        self.storage = self._storage()
        self.vault = KeyVault(
            "key-vault",
            KeyVaultArgs(site=self.groups.serving, name=self.names.vault, tenant=self.settings.tenant),
            self.own,
        )
        self.registry = ContainerRegistry(
            "container-registry",
            ContainerRegistryArgs(site=self.groups.serving, name=self.names.registry, tier=self.settings.registry_tier),
            self.own,
        )
        self.machine_learning = self._machine_learning()
        self.reached = self.private.reached(self._services()) if self.private else []
        """What must exist, in addition to a service itself, before the service can be called."""
        self.place = self._place()
        self.access = self._access()
        self._watch()
        self.register_outputs({})

    def _private_stack(self) -> PrivateStack | None:
        if self.settings.network is Network.PUBLIC:
            return None
        args = PrivateStackArgs(site=self.groups.serving, settings=self.settings, names=self.names)
        return PrivateStack(args, self.own)

    def _place(self) -> Place:
        names = self.names
        if self.private is None:
            return on_the_internet(names.dns_label, self.settings.location)
        return inside(names.private_host, SERVICE, self.private.service_address)

    def _services(self) -> dict[Service, Input[str]]:
        return {
            Service.LAKE: self.storage.lake.id,
            Service.WORKSPACE_STORAGE: self.storage.workspace.id,
            Service.VAULT: self.vault.id,
            Service.REGISTRY: self.registry.id,
            Service.MACHINE_LEARNING: self.machine_learning.id,
            Service.DATABRICKS: self.databricks.workspace.id,
        }

    def _monitoring(self) -> Monitoring:
        args = MonitoringArgs(
            site=self.groups.serving,
            names=self.names,
            cap_gb=self.settings.log_cap_gb,
            retention_days=self.settings.log_retention_days,
            mail=self.settings.alert_mail,
            given=self.settings.log_analytics,
        )
        return Monitoring("monitoring", args, self.own)

    def _storage(self) -> Storage:
        args = StorageArgs(
            site=self.groups.training,
            lake_name=self.names.lake,
            workspace_name=self.names.workspace_storage,
            replication=self.settings.storage_replication,
            tenant=self.settings.tenant,
            connector=self.databricks.connector.id,
        )
        return Storage("storage", args, self.own)

    def _machine_learning(self) -> MachineLearning:
        args = MachineLearningArgs(
            site=self.groups.training,
            name=self.names.machine_learning,
            storage_account=self.storage.workspace.id,
            vault=self.vault.id,
            insights=self.monitoring.insights.id,
            registry=self.registry.id,
        )
        return MachineLearning("machine-learning", args, self.own)

    def _access(self) -> Access:
        args = AccessArgs(
            subscription=self.settings.subscription,
            deployers=self.settings.deployers,
            lake=self.storage.lake.id,
            workspace_storage=self.storage.workspace.id,
            machine_learning=self.machine_learning.id,
            registry=self.registry.id,
            connector_principal=self.databricks.connector_principal,
        )
        return Access("access", args, self.own)

    def watch(self, name: str, args: DiagnosticsArgs) -> None:
        """Send a resource's logs and, with `azure.service_metrics`, its metrics to Log Analytics."""
        send_logs(name, args if self.settings.service_metrics else replace(args, metrics=None), self.own)

    def _watch(self) -> None:
        logs = self.monitoring.logs
        watched = {
            "lake": DiagnosticsArgs(resource=self.storage.blob_service_id, workspace=logs, metrics=STORAGE_METRICS),
            "vault": DiagnosticsArgs(resource=self.vault.id, workspace=logs),
            "registry": DiagnosticsArgs(resource=self.registry.id, workspace=logs),
            "machine-learning": DiagnosticsArgs(resource=self.machine_learning.id, workspace=logs),
            "databricks": DiagnosticsArgs(
                resource=self.databricks.workspace.id, workspace=logs, categories=DATABRICKS_LOGS, metrics=None
            ),
        }
        for name, args in watched.items():
            self.watch(name, args)
