"""The vault's secrets as files in the pods; AKS' Key Vault add-on updates them every two minutes."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import yaml
from pulumi import Input, ResourceOptions
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from steps import cluster_names

FILES = {
    cluster_names.KEYS_FILE: cluster_names.KEYS_SECRET,
    cluster_names.CERTIFICATE_FILE: cluster_names.CERTIFICATE_SECRET,
    cluster_names.PRIVATE_KEY_FILE: cluster_names.PRIVATE_KEY_SECRET,
}


@dataclass(frozen=True, kw_only=True)
class VaultFilesArgs:
    """The vault, and the identity that reads it."""

    namespace: Input[str]
    vault: Input[str]
    """The vault's name."""
    tenant: Input[str]
    client_id: Input[str]


class VaultFiles(pulumi.ComponentResource):
    """The SecretProviderClass. A volume refers to it by `name`."""

    def __init__(self, name: str, args: VaultFilesArgs, opts: ResourceOptions | None = None) -> None:
        """Create it."""
        super().__init__("personalization:workload:VaultFiles", name, None, opts)
        CustomResource(
            "secret-provider",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata=ObjectMetaArgs(name=cluster_names.NAME, namespace=args.namespace, labels=cluster_names.LABELS),
            spec={
                "provider": "azure",
                "parameters": {
                    "clientID": args.client_id,
                    "keyvaultName": args.vault,
                    "tenantId": args.tenant,
                    "objects": _objects(FILES),
                },
            },
            opts=ResourceOptions(parent=self),
        )
        self.name = cluster_names.NAME
        self.register_outputs({"name": self.name})


def _objects(files: Mapping[str, str]) -> str:
    """The add-on's format: YAML with a list of strings, each again YAML."""
    entries = [
        yaml.safe_dump({"objectName": secret, "objectType": "secret", "objectAlias": path.rpartition("/")[2]})
        for path, secret in files.items()
    ]
    return yaml.safe_dump({"array": entries})
