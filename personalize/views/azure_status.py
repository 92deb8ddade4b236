"""What `status` shows of a stack on Azure beside the service: cluster, pods, and where to look further."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from azure_clients import credentials
from infra.azure_settings import AzureSettings
from personalize.clients.cluster import Cluster, ClusterUnreachableError
from personalize.clients.power import Power, cluster_path, power_of

PORTAL = "https://portal.azure.com/#@{tenant}/resource"
LINKS = {"databricks": "Databricks", "run": "training run", "image_digest": "image"}
"""The stack's outputs that lead further, and what they are called."""


def azure_status(stack: str, settings: AzureSettings, outputs: dict[str, Any]) -> dict[str, Any]:
    """The cluster with its pods, and links; what cannot be reached is said in it. Raises `ManagerRefusedError`."""
    path = cluster_path(stack, settings)
    power = power_of(credentials.resource_manager(settings.tenant), path)
    cluster: dict[str, Any] = {"power": power, "pods": [], "problem": None}
    if power is None:
        cluster["problem"] = "there is none"
    elif power is Power.STOPPED:
        cluster["problem"] = f"stopped; `personalize resume --stack {stack}` starts it"
    else:
        try:
            cluster["pods"] = [asdict(pod) for pod in Cluster.of(stack, settings).pods()]
        except ClusterUnreachableError as error:
            cluster["problem"] = str(error)
    if certificate := outputs.get("authority"):
        ends = x509.load_pem_x509_certificate(str(certificate).encode()).not_valid_after_utc
        cluster["certificate_days"] = (ends - datetime.now(UTC)).days
    links = {title: outputs[name] for name, title in LINKS.items() if name in outputs}
    return {"cluster": cluster, "links": links | {"portal": PORTAL.format(tenant=settings.tenant) + path}}
