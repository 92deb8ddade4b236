"""Storage accounts: the data lake, and a plain one, because Azure ML does not accept a lake for its own files.

Neither accepts keys: readers and writers need a role.
"""

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import storage

from azure_clients.volumes import CONTAINERS, DELETED_DAYS, SERVED, Volume
from infra.azure_settings import Replication
from infra.cloud.names import Names
from infra.cloud.site import Site


class Storage(pulumi.ComponentResource):
    """The accounts. `blob_endpoint` is the lake's, for uploads; `lake_url` has a container's address for Databricks."""

    def __init__(
        self,
        site: Site,
        names: Names,
        opts: ResourceOptions,
        *,
        replication: Replication,
        tenant: str,
        connector: Input[str],
    ) -> None:
        """Create the accounts and the lake's containers.

        `connector` is the ID of the identity with which Databricks accesses the lake, even a private stack's from
        outside.
        """
        super().__init__("personalization:azure:Storage", "storage", None, opts)
        self._site, self._replication = site, replication
        self._connector = storage.ResourceAccessRuleArgs(tenant_id=tenant, resource_id=connector)
        self.lake = self._account("lake", names.lake, hierarchical=True)
        self.workspace = self._account("workspace-storage", names.workspace_storage, hierarchical=False)
        service = self._keep_deleted()
        lake = {container: self._container(container, service) for container in CONTAINERS}
        self.containers = [*lake.values()]
        self.snapshots = lake[Volume.SNAPSHOTS.container].id
        self.blob_service_id = Output.concat(self.lake.id, "/blobServices/default")
        self.blob_endpoint = self.lake.primary_endpoints.apply(lambda endpoints: endpoints.blob)
        self.register_outputs({})

    def lake_url(self, container: str) -> Output[str]:
        """The `abfss://` address of a container of the lake, with a slash at the end."""
        return Output.concat("abfss://", container, "@", self.lake.name, ".dfs.core.windows.net/")

    def snapshots_of(self, bundle_hash: Output[str]) -> Output[str]:
        """The address from which pods fetch the snapshots of the version with this bundle."""
        place = f"{Volume.SNAPSHOTS.container}/{Volume.SNAPSHOTS.folder}/{SERVED}"
        return Output.concat(self.blob_endpoint, place, "/", bundle_hash)

    def _account(self, name: str, physical: str, *, hierarchical: bool) -> storage.StorageAccount:
        return storage.StorageAccount(
            name,
            account_name=physical,
            resource_group_name=self._site.group,
            location=self._site.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=storage.SkuName(self._replication.value)),
            is_hns_enabled=hierarchical,
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            public_network_access=self._access(by_connector=hierarchical),
            network_rule_set=self._rules(by_connector=hierarchical),
            tags=self._site.tags,
            opts=ResourceOptions(parent=self, protect=self._site.protect),
        )

    def _access(self, *, by_connector: bool) -> storage.PublicNetworkAccess | None:
        """In a private stack disabled, except for the lake, where it would block the firewall's rule, too: see
        docs/how-to/private-network.md.
        """
        if not self._site.private:
            return None
        return storage.PublicNetworkAccess.ENABLED if by_connector else storage.PublicNetworkAccess.DISABLED

    def _rules(self, *, by_connector: bool) -> storage.NetworkRuleSetArgs:
        """Access by the public endpoint. A private stack's lake admits only Unity Catalog, with the connector's
        identity."""
        if not self._site.private:
            return storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.ALLOW, bypass=storage.Bypass.AZURE_SERVICES
            )
        return storage.NetworkRuleSetArgs(
            default_action=storage.DefaultAction.DENY,
            bypass=storage.Bypass.NONE if by_connector else storage.Bypass.AZURE_SERVICES,
            resource_access_rules=[self._connector] if by_connector else None,
        )

    def _keep_deleted(self) -> storage.BlobServiceProperties:
        kept = storage.DeleteRetentionPolicyArgs(enabled=True, days=DELETED_DAYS)
        return storage.BlobServiceProperties(
            "lake-service",
            account_name=self.lake.name,
            resource_group_name=self._site.group,
            blob_services_name="default",
            delete_retention_policy=kept,
            container_delete_retention_policy=kept,
            opts=ResourceOptions(parent=self, deleted_with=self.lake),
        )

    def _container(self, container: str, service: pulumi.Resource) -> storage.BlobContainer:
        return storage.BlobContainer(
            container,
            account_name=self.lake.name,
            resource_group_name=self._site.group,
            container_name=container,
            public_access=storage.PublicAccess.NONE,
            opts=ResourceOptions(parent=self, protect=self._site.protect, depends_on=[service]),
        )
