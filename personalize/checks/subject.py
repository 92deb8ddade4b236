"""What a preflight checks: a stack's settings and names, the subscription, and the signed-in identity."""

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
from infra.cloud.names import Names, names_of

CLAIMS_PART = 1
"""The second of a token's three parts has its claims."""


def addresses_of(host: str) -> list[str]:
    """The addresses of a host by this machine's name server; empty for an unknown name."""
    try:
        found = socket.getaddrinfo(host, 443, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({str(entry[4][0]) for entry in found})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A stack in a subscription, up or not. `claims` returns the claims of the token for the Resource Manager."""

    stack: str
    settings: AzureSettings
    manager: ResourceManager
    graph: ResourceManager
    claims: Callable[[], dict[str, Any]]
    environment: Mapping[str, str]
    addresses: Callable[[str], list[str]] = addresses_of
    """Resolves a host on this machine."""

    @property
    def subscription(self) -> str:
        """The Resource Manager's path of the subscription."""
        return f"/subscriptions/{self.settings.subscription}"

    @cached_property
    def names(self) -> Names:
        """The names of the stack's resources."""
        return names_of(self.stack, self.settings)

    @cached_property
    def caller(self) -> dict[str, Any]:
        """The claims of the token for the Resource Manager."""
        return self.claims()

    def serving(self, kind: str, name: str) -> str:
        """The path of a resource in the serving group."""
        return f"{self.subscription}/resourceGroups/{self.names.serving_group}/providers/{kind}/{name}"


def subject_of(stack: str, settings: AzureSettings) -> Subject:
    """The subject for the signed-in identity. Makes no request yet."""
    signed_in = credentials.credential(settings.tenant)
    return Subject(
        stack=stack,
        settings=settings,
        manager=credentials.resource_manager(settings.tenant),
        graph=credentials.graph(settings.tenant),
        claims=lambda: claims_of(signed_in.get_token(credentials.MANAGER_SCOPE).token),
        environment=os.environ,
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token. The service that gets it checks its signature."""
    payload = token.split(".")[CLAIMS_PART]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found if isinstance(found, dict) else {}
