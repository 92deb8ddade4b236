"""The Azure identity of the service's pods, linked to their Kubernetes service account."""

from dataclasses import dataclass

import pulumi
from pulumi import Input, ResourceOptions
from pulumi_azure_native import managedidentity

from infra.cloud.site import Site

AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, kw_only=True)
class ScoringIdentityArgs:
    """Location and name of the identity, and the service account that it is linked to."""

    site: Site
    name: str
    issuer: Input[str]
    """The cluster's OIDC issuer."""
    namespace: str
    service_account: str


class ScoringIdentity(pulumi.ComponentResource):
    """The identity with its federated credential."""

    def __init__(self, name: str, args: ScoringIdentityArgs, opts: ResourceOptions | None = None) -> None:
        """Create the identity."""
        super().__init__("personalization:azure:ScoringIdentity", name, None, opts)
        identity = managedidentity.UserAssignedIdentity(
            "scoring-identity",
            resource_name_=args.name,
            resource_group_name=args.site.group,
            location=args.site.location,
            tags=args.site.tags,
            opts=ResourceOptions(parent=self),
        )
        managedidentity.FederatedIdentityCredential(
            "scoring-credential",
            federated_identity_credential_resource_name="scoring",
            resource_name_=identity.name,
            resource_group_name=args.site.group,
            issuer=args.issuer,
            subject=f"system:serviceaccount:{args.namespace}:{args.service_account}",
            audiences=[AUDIENCE],
            opts=ResourceOptions(parent=self),
        )
        self.principal_id = identity.principal_id
        self.client_id = identity.client_id
        self.register_outputs({"principal_id": self.principal_id, "client_id": self.client_id})
