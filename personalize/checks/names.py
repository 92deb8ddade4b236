"""Whether the stack's names are free, and the resources there that its settings give to it.

Some names are unique worldwide, and deleted ones stay taken for days.
"""

from collections.abc import Iterator
from typing import Any

from infra.private import ZONES
from personalize.bootstrap.resources import RESOURCES_VERSION, STORAGE_VERSION, VAULT_VERSION
from personalize.checks.machine import Finding
from personalize.checks.subject import Subject, bad, good

REGISTRY_VERSION = "2023-07-01"
NETWORK_VERSION = "2024-05-01"
DATABRICKS_VERSION = "2024-05-01"


def check_names(subject: Subject) -> Finding:
    """Check the names. A name of the stack's own resource counts as free."""
    taken = [*_global_names(subject), *_label(subject), *_managed_group(subject)]
    wanted = "every name free, or the stack's own"
    if taken:
        fix = f"set another `azure.suffix` than `{subject.settings.suffix}` in the stack file: it is part of every name"
        return bad("names", "; ".join(taken), wanted, fix)
    return good("names", f"free, such as {subject.names.lake}", wanted)


def _global_names(subject: Subject) -> Iterator[str]:
    names = subject.names
    asked = (
        (subject.training("Microsoft.Storage/storageAccounts", names.lake), STORAGE_VERSION),
        (subject.training("Microsoft.Storage/storageAccounts", names.workspace_storage), STORAGE_VERSION),
        (subject.serving("Microsoft.ContainerRegistry/registries", names.registry), REGISTRY_VERSION),
        (subject.serving("Microsoft.KeyVault/vaults", names.vault), VAULT_VERSION),
    )
    for path, version in asked:
        kind, _, name = path.rpartition("/providers/")[2].rpartition("/")
        provider = kind.partition("/")[0]
        question = f"{subject.subscription}/providers/{provider}/checkNameAvailability"
        answer = subject.manager.post(question, version, {"name": name, "type": kind})
        if not answer.get("nameAvailable") and subject.manager.get(path, version) is None:
            yield f"{provider} {name}: {answer.get('message') or answer.get('reason')}"


def _label(subject: Subject) -> Iterator[str]:
    """The DNS label. It is the stack's own while its cluster exists."""
    if subject.cluster_exists:
        return
    label, location = subject.names.dns_label, subject.settings.location
    path = f"{subject.subscription}/providers/Microsoft.Network/locations/{location}/CheckDnsNameAvailability"
    answer: dict[str, Any] = subject.manager.get(path, NETWORK_VERSION, domainNameLabel=label) or {}
    if answer.get("available") is False:
        yield f"the DNS label {label} in {location} is taken"


def _managed_group(subject: Subject) -> Iterator[str]:
    """The resource group that Databricks creates; it refuses an existing one."""
    group = f"{subject.subscription}/resourceGroups/{subject.names.databricks_group}"
    workspace = subject.training("Microsoft.Databricks/workspaces", subject.names.databricks)
    found = [subject.manager.get(group, RESOURCES_VERSION), subject.manager.get(workspace, DATABRICKS_VERSION)]
    if found[0] is not None and found[1] is None:
        yield f"the group {subject.names.databricks_group}, which Databricks creates, exists without its workspace"


LOGS_VERSION = "2023-09-01"
ZONE_VERSION = "2020-06-01"


def check_given(subject: Subject) -> list[Finding]:
    """A finding if the settings give any."""
    asked = list(_given(subject))
    if not asked:
        return []
    wanted = "the resources that the settings give to the stack"
    missing = [
        f"{path} (`azure.{name}`)" for name, path, version in asked if subject.manager.get(path, version) is None
    ]
    if missing:
        fix = "create them first, or remove the settings: the stack then creates its own"
        return [bad("given resources", f"missing: {', '.join(missing)}", wanted, fix)]
    return [good("given resources", f"all {len(asked)}", wanted)]


def _given(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Setting, path and API version of each."""
    settings = subject.settings
    for name in ("training_group", "serving_group"):
        if group := getattr(settings, name):
            yield name, f"{subject.subscription}/resourceGroups/{group}", RESOURCES_VERSION
    if settings.log_analytics is not None:
        yield "log_analytics", settings.log_analytics, LOGS_VERSION
    for zone in ZONES if settings.private_dns_zones is not None else ():
        path = f"{settings.private_dns_zones}/providers/Microsoft.Network/privateDnsZones/{zone}"
        yield "private_dns_zones", path, ZONE_VERSION
