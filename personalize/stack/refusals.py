"""What to do about Azure's refusals that a user can mend, in one sentence for each cause.

A message of Azure names the cause, but not the setting or the command. The codes of capacity and quota are those of
Microsoft's pages "Resolve errors for SKU not available", "Resolve errors for resource quotas" and "Troubleshoot the
ErrCode_InsufficientVCPUQuota error", and Databricks' termination reasons (Clusters API, `TerminationReason`).
"""

import re
from collections.abc import Mapping, Sequence

from infra.azure_settings import AzureSettings, other_regions

NOT_AVAILABLE = re.compile(
    "AllocationFailed|OverconstrainedAllocationRequest|SkuNotAvailable|AKSCapacityError|VMSizeNotSupported|"
    "is not allowed in your subscription|CLOUD_PROVIDER_LAUNCH_FAILURE|CLOUD_PROVIDER_RESOURCE_STOCKOUT|"
    "InsufficientVCPUQuota|AZURE_QUOTA_EXCEEDED_EXCEPTION|QuotaExceeded"
)
REGION_FULL = re.compile("Total Regional Cores|regional vcpu quota")
SIZES = {"TrainingRun": "training", "ManagedCluster": "system", "AgentPool": "scoring"}
"""Whose VM size a step or a resource needs."""
GIVING = re.compile("'Microsoft\\.Authorization/roleAssignments/(?:write|delete)'")
"""The action in a refusal to assign or remove a role; other refusals name the assignment's path."""
LACKING = re.compile(r"User does not have ([A-Z][A-Z ]+) on ([A-Za-z]+(?: [A-Z][a-z]+)?)(?: ['\"]([^'\"]*))?")
"""Unity Catalog's refusal: the privilege, the object's kind and its name (as in the issues 2828 of databricks/
terraform-provider-databricks and 189 of databricks/terraform-databricks-examples)."""
OVERLAPS = "LOCATION_OVERLAP"
"""Unity Catalog's error class for a path that another external location, volume or table covers (Databricks' page "Path
rules and access in Unity Catalog volumes"; the issue 1635 of elementary-data/elementary has a whole message)."""
NAMED = ("StorageAccount", "Vault", "Registry", "Workspace")
NAME_TAKEN = re.compile(
    "StorageAccountAlreadyTaken|VaultAlreadyExists|exists in deleted state|AlreadyInUse|"
    "ManagedResourceGroupAlreadyExists"
)
"""Codes and words for a name that is somebody else's, or a deleted stack's (Microsoft, "Resolve errors for storage
account names"; for a vault alan-turing-institute/data-safe-haven#2523)."""
NO_GROUP = "ResourceGroupNotFound"
"""Azure's error code if one of the groups that `bootstrap` created is gone."""
FORBIDDEN_BY_POLICY = "RequestDisallowedByPolicy"
"""Azure's error code (Microsoft, "Resolve errors for request disallowed by policy")."""
UNKNOWN_IN_ENTRA = re.compile(r"PrincipalNotFound|Principal \S+ does not exist in the directory")
UNKNOWN_IN_DATABRICKS = re.compile(
    r"Could not find principal|Principal not found in account|Principal: \w+\([^)]*\) does not exist"
)
"""Of grants, of assignments to the workspace and of permissions (issues 1773, 5414 and 1415 of
databricks/terraform-provider-databricks)."""
NOT_READY = "failed to fully initialize or become live"
"""What Pulumi says of a Deployment whose pods are not ready in time, and of other objects that it waits for."""


def advice(failures: Mapping[str, Sequence[str]], stack: str, settings: AzureSettings) -> list[str]:
    """Sentences about the failed steps' messages; empty if a user can mend none of them."""
    found = (_of_step(step, "\n".join(texts), stack, settings) for step, texts in failures.items())
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def _of_step(step: str, text: str, stack: str, settings: AzureSettings) -> str | None:
    if GIVING.search(text):
        return (
            "The signed-in identity may not assign or remove this role: let an owner of the subscription run "
            f"`.venv/bin/personalize bootstrap --stack {stack}`, which gives the right to `azure.deployers`, then run "
            "this again."
        )
    if NO_GROUP in text:
        return (
            "A resource group of the stack is gone: let an owner of the subscription run `.venv/bin/personalize "
            f"bootstrap --stack {stack}`, which creates it, then run this again."
        )
    if step in NAMED and NAME_TAKEN.search(text):
        return (
            "Names of the stack are taken, by a deleted stack for days. Nothing is trained yet: `.venv/bin/personalize "
            f"destroy --stack {stack}` deletes what was created and renews `azure.suffix`, now {settings.suffix}; then "
            "run this again."
        )
    if known := mended(text) or _in_unity_catalog(text, settings):
        return known
    if step == "Deployment" and NOT_READY in text:
        return (
            "New pods of the service did not become ready, and earlier ones, if there are any, keep serving: "
            f"`.venv/bin/personalize logs --stack {stack}` shows why; correct it, then run `up` again."
        )
    return _of_size(SIZES[step], text, stack, settings) if step in SIZES else None


def mended(text: str) -> str | None:
    """What to do about a refusal whoever meets it, `up` or `bootstrap`; None for another one."""
    if FORBIDDEN_BY_POLICY in text:
        return (
            "A policy of the subscription or of a group above it forbids this, and Azure's message names it: set what "
            "it asks for in the stack file, such as `azure.location` or `azure.tags`, or let its owner exempt the "
            "stack's resource groups, then run this again."
        )
    if UNKNOWN_IN_ENTRA.search(text):
        return "The directory knows nobody with this ID: correct `object_id` in `azure.deployers`, then run this again."
    if UNKNOWN_IN_DATABRICKS.search(text):
        return (
            "Databricks' account knows nobody of this name: correct its `databricks_name` in `azure.deployers`, or "
            "`azure.training_run_as`, or let an account admin add it if it is a group, then run this again."
        )
    return None


def _of_size(part: str, text: str, stack: str, settings: AzureSettings) -> str | None:
    if REGION_FULL.search(text):
        return (
            f"The quota for {settings.location} has too few vCPUs for all of this at once: request more in the portal "
            "(Quotas, Compute, Total Regional vCPUs), then run `up` again, which continues from here."
        )
    if NOT_AVAILABLE.search(text):
        return (
            f"Azure gives this subscription no {getattr(settings, f'{part}_vm_size')} in {settings.location} now: set "
            f"`azure.{part}_vm_size` to another size that `.venv/bin/personalize doctor --stack {stack}` accepts, for "
            "a cluster that already runs request more quota, or `destroy` and set `azure.location` to "
            f"{other_regions(settings.location)}, then run `up` again."
        )
    return None


def _in_unity_catalog(text: str, settings: AzureSettings) -> str | None:
    if lacking := LACKING.search(text):
        privilege, kind, name = lacking.groups()
        place = "METASTORE" if kind.lower() == "metastore" or not name else f"{kind.upper()} {name}"
        return (
            "The signed-in identity may not do this in Unity Catalog: let a metastore admin of Databricks run "
            f"`GRANT {privilege} ON {place} TO ...` for it in an SQL editor of the workspace, then run this again."
        )
    if OVERLAPS in text:
        return (
            "In each region's metastore, Unity Catalog lets only one external location and one volume cover a path, "
            f"and somebody in {settings.location} has one there, such as another stack that reads the same data. Give "
            "each stack a container of its own, or deploy one of them in another region, then run this again."
        )
    return None
