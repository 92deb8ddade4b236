"""What a preflight looks at: a stack's settings and names, the subscription, and who is asking."""

import base64
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure_clients import credentials
from azure_clients.resource_manager import ResourceManager
from infra.azure_settings import AzureSettings
from infra.cloud.names import Names
from personalize.checks.doctor import Finding, Status

CLUSTER_VERSION = "2025-09-01"
AZURE_NAMES = "168.63.129.16"
"""Azure's name server for virtual networks; nothing is sent to it here."""
NOWHERE = "127.0.0.1"
CLAIMS_PART = 1
"""Of a token's three parts the second holds what it says."""


def own_address() -> str:
    """The address with which this machine would call Azure's name server; that of loopback without a way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((AZURE_NAMES, 53))  # of a datagram: chooses the address, and sends nothing
            return str(asked.getsockname()[0])
        except OSError:
            return NOWHERE


def addresses_of(host: str) -> list[str]:
    """What the name server of this machine says; nothing where it knows no such name."""
    try:
        found = socket.getaddrinfo(host, 443, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({str(entry[4][0]) for entry in found})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A stack that may or may not be up, in a subscription. `claims` gives what a token for a scope says."""

    stack: str
    settings: AzureSettings
    manager: ResourceManager
    graph: ResourceManager
    claims: Callable[[str], dict[str, Any]]
    environment: Mapping[str, str]
    own_address: Callable[[], str] = own_address
    addresses: Callable[[str], list[str]] = addresses_of
    """What this machine is told about a host."""

    @property
    def subscription(self) -> str:
        """The subscription's path."""
        return f"/subscriptions/{self.settings.subscription}"

    @cached_property
    def names(self) -> Names:
        """What the stack's resources are or will be called."""
        settings = self.settings
        return Names(stack=self.stack, subscription=settings.subscription, suffix=settings.suffix)

    @cached_property
    def caller(self) -> dict[str, Any]:
        """What the token for the Resource Manager says about who is signed in."""
        return self.claims(credentials.MANAGER_SCOPE)

    @cached_property
    def cluster_exists(self) -> bool:
        """Whether the stack's cluster is there, whose nodes are part of what is in use already."""
        return (
            self.manager.get(
                self.serving("Microsoft.ContainerService/managedClusters", self.names.cluster), CLUSTER_VERSION
            )
            is not None
        )

    def training(self, kind: str, name: str) -> str:
        """The path of a resource in the training group."""
        return f"{self.subscription}/resourceGroups/{self.names.training_group}/providers/{kind}/{name}"

    def serving(self, kind: str, name: str) -> str:
        """The path of a resource in the serving group."""
        return f"{self.subscription}/resourceGroups/{self.names.serving_group}/providers/{kind}/{name}"


def subject_of(stack: str, settings: AzureSettings) -> Subject:
    """The stack as the signed-in identity sees it; nothing is asked yet."""
    signed_in = credentials.credential(settings.tenant)
    return Subject(
        stack=stack,
        settings=settings,
        manager=credentials.resource_manager(settings.tenant),
        graph=credentials.graph(settings.tenant),
        claims=lambda scope: claims_of(signed_in.get_token(scope).token),
        environment=os.environ,
    )


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; whether it is genuine is for the service to judge that it is shown to."""
    payload = token.split(".")[CLAIMS_PART]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found if isinstance(found, dict) else {}


def good(name: str, found: str, wanted: str) -> Finding:
    """Nothing is to be done."""
    return Finding(name=name, status=Status.OK, found=found, wanted=wanted)


def bad(name: str, found: str, wanted: str, fix: str) -> Finding:
    """This stops an `up`."""
    return Finding(name=name, status=Status.WRONG, found=found, wanted=wanted, fix=fix)


def unmade(name: str, found: str, wanted: str, fix: str) -> Finding:
    """This stops an `up`, and `personalize bootstrap` mends it."""
    return Finding(name=name, status=Status.WRONG, found=found, wanted=wanted, fix=fix, by_bootstrap=True)


def remark(name: str, found: str, wanted: str, fix: str) -> Finding:
    """This may matter later, or cannot be known yet."""
    return Finding(name=name, status=Status.REMARK, found=found, wanted=wanted, fix=fix)
