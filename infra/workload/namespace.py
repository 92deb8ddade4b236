"""The namespace, which admits only restricted pods, and the service account that is linked to an Azure identity."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from steps.cluster_names import LABELS, NAMESPACE, SERVICE_ACCOUNT

POD_SECURITY = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
CLIENT_ANNOTATION = "azure.workload.identity/client-id"


@dataclass(frozen=True, kw_only=True)
class ScoringNamespaceArgs:
    """The pods' Azure identity."""

    client_id: Input[str]


class ScoringNamespace(pulumi.ComponentResource):
    """Namespace and service account. `name` is the namespace's."""

    def __init__(self, name: str, args: ScoringNamespaceArgs, opts: ResourceOptions | None = None) -> None:
        """Create both."""
        super().__init__("personalization:workload:ScoringNamespace", name, None, opts)
        namespace = Namespace(
            "namespace",
            metadata=ObjectMetaArgs(name=NAMESPACE, labels={**LABELS, **POD_SECURITY}),
            opts=ResourceOptions(parent=self),
        )
        self.name = namespace.metadata.apply(lambda metadata: metadata.name or NAMESPACE)
        account = ServiceAccount(
            "service-account",
            metadata=ObjectMetaArgs(
                name=SERVICE_ACCOUNT,
                namespace=self.name,
                labels=LABELS,
                annotations={CLIENT_ANNOTATION: args.client_id},
            ),
            automount_service_account_token=False,  # the pods never call the Kubernetes API
            opts=ResourceOptions(parent=self),
        )
        self.account = account.metadata.apply(lambda metadata: metadata.name or SERVICE_ACCOUNT)
        self.register_outputs({"name": self.name, "account": self.account})
