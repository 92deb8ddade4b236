"""Whether the stack's names are free: some are unique worldwide, and deleted ones stay taken for days."""

from collections.abc import Iterator
from typing import Any

from personalize.checks.doctor import Finding
from personalize.checks.subscription.subject import Subject, bad, good

STORAGE_VERSION = "2024-01-01"
REGISTRY_VERSION = "2023-07-01"
VAULT_VERSION = "2023-07-01"
NETWORK_VERSION = "2024-05-01"
GROUP_VERSION = "2021-04-01"
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
    storage, registries, vaults = "Microsoft.Storage", "Microsoft.ContainerRegistry", "Microsoft.KeyVault"
    asked = (
        (storage, "storageAccounts", subject.training(f"{storage}/storageAccounts", names.lake), STORAGE_VERSION),
        (
            storage,
            "storageAccounts",
            subject.training(f"{storage}/storageAccounts", names.workspace_storage),
            STORAGE_VERSION,
        ),
        (registries, "registries", subject.serving(f"{registries}/registries", names.registry), REGISTRY_VERSION),
        (vaults, "vaults", subject.serving(f"{vaults}/vaults", names.vault), VAULT_VERSION),
    )
    for provider, kind, path, version in asked:
        name = path.rpartition("/")[2]
        body = {"name": name, "type": f"{provider}/{kind}"}
        answer = subject.manager.post(
            f"{subject.subscription}/providers/{provider}/checkNameAvailability", version, body
        )
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
    found = [subject.manager.get(group, GROUP_VERSION), subject.manager.get(workspace, DATABRICKS_VERSION)]
    if found[0] is not None and found[1] is None:
        yield f"the group {subject.names.databricks_group}, which Databricks creates, exists without its workspace"
