"""Services that a subscription may lack, which only shows when `up` needs them."""

import shutil

from infra.azure_settings import Network
from personalize.bootstrap.names import StateNames
from personalize.bootstrap.resources import STORAGE_VERSION, VAULT_VERSION, container_path, key_path
from personalize.checks.identity import SUBSCRIPTION_VERSION
from personalize.checks.machine import Finding
from personalize.checks.subject import Subject, bad, good, remark
from personalize.stack.cluster import CLUSTER_VERSION

LIMITED_OFFERS = ("FreeTrial", "AzureForStudents", "DreamSpark", "AzurePass", "Sponsored")
"""Prefixes of the `quotaId` of offers paid by credit. ACR Tasks refuses such subscriptions."""
DOCKER = "`docker buildx` on this machine"
TASKS = "a subscription that may use ACR Tasks"


def check_builds(subject: Subject) -> Finding:
    """Whether the registry may build the image, judged by the network and the subscription's offer."""
    docker = shutil.which("docker") is not None
    if subject.settings.network is Network.PRIVATE:
        found = "ACR Tasks cannot reach a private registry"
        if docker:
            return good("image builds", f"{found}: docker builds the image", DOCKER)
        return bad("image builds", found, DOCKER, "install Docker with buildx on this machine")
    policies = (subject.manager.get(subject.subscription, SUBSCRIPTION_VERSION) or {}).get("subscriptionPolicies") or {}
    offer, limited = str(policies.get("quotaId") or "unknown"), policies.get("spendingLimit") == "On"
    if not offer.startswith(LIMITED_OFFERS) and not limited:
        return good("image builds", f"ACR Tasks by the offer ({offer})", TASKS)
    found = f"the offer {offer}{' with a spending limit' if limited else ''}, which ACR Tasks refuses"
    if docker:
        return remark("image builds", found, TASKS, f"nothing: {DOCKER} builds the image instead")
    fix = "install Docker with buildx on this machine, or change to pay-as-you-go in the portal"
    return bad("image builds", found, TASKS, fix)


def check_state(subject: Subject) -> Finding:
    """Whether the state backend exists."""
    names = StateNames(subscription=subject.settings.subscription, stack=subject.stack)
    wanted = f"a container in {names.account} and a key in {names.vault}"
    there = {
        f"container {names.container}": subject.manager.get(container_path(names), STORAGE_VERSION),
        f"key {names.key}": subject.manager.get(key_path(names), VAULT_VERSION),
    }
    if missing := [name for name, found in there.items() if found is None]:
        fix = f".venv/bin/personalize bootstrap --stack {subject.stack}"
        return bad("state", f"missing: {', '.join(missing)}", wanted, fix)
    return good("state", f"in {names.account}", wanted)


def check_kubernetes(subject: Subject) -> Finding:
    """Whether AKS offers the minor version in the region."""
    location, version = subject.settings.location, subject.settings.kubernetes_version
    path = f"{subject.subscription}/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions"
    offered = [
        str(entry["version"])
        for entry in (subject.manager.get(path, CLUSTER_VERSION) or {}).get("values") or ()
        if not entry.get("isPreview")
    ]
    wanted = f"Kubernetes {version} on offer in {location}"
    if version in offered:
        return good("Kubernetes", f"{', '.join(sorted(offered))} on offer", wanted)
    if not offered:
        return remark("Kubernetes", f"AKS lists no versions in {location}", wanted, "nothing; `up` will show it")
    return bad(
        "Kubernetes", f"{', '.join(sorted(offered))} on offer", wanted, "set `azure.kubernetes_version` to one of them"
    )
