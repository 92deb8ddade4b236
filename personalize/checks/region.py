"""What the region has for the subscription: VM sizes in its zones, quota, and versions of Kubernetes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.azure_settings import other_regions
from personalize.checks.machine import Finding, bad, good, remark
from personalize.checks.subject import Subject
from personalize.stack.cluster import CLUSTER_VERSION, cluster_path

SKUS_VERSION = "2021-07-01"
USAGES_VERSION = "2024-07-01"
ALL_FAMILIES = "cores"
"""Azure's name for the vCPUs of all families in a region."""
LEAST_VCPUS = 4
"""Of a size that is proposed: what the cluster's own pods need, and training too."""
SURGE = 1
"""Nodes that an upgrade adds to each pool for a while."""
MOST = "the highest number of nodes and those that an upgrade adds for a while (Sundays from 2:00 UTC)"


@dataclass(frozen=True)
class Use:
    """Nodes of one size: the setting, and how many there are at first and at most, during an upgrade."""

    setting: str
    size: str
    first: int
    most: int
    zones: frozenset[str] = frozenset()


def check_sizes(subject: Subject) -> list[Finding]:
    """A finding about sizes and zones, and one about the quota."""
    location = subject.settings.location
    path = f"{subject.subscription}/providers/Microsoft.Compute/skus"
    listed = subject.manager.list(path, SKUS_VERSION, **{"$filter": f"location eq '{location}'"})
    sizes = {str(sku["name"]): sku for sku in listed if sku.get("resourceType") == "virtualMachines"}
    uses = [use for use in _uses(subject) if use.first or use.size in sizes]
    problems = [problem for use in uses if use.first for problem in _problems(use, sizes.get(use.size), location)]
    free = _free_vcpus(subject)
    wanted = f"every size and zone on offer in {location}"
    if problems:
        return [bad("VM sizes", "; ".join(problems), wanted, f"choose {_others(location, uses, sizes, free)}")]
    shown = ", ".join(sorted({use.size for use in uses}))
    return [good("VM sizes", f"{shown} in {location}", wanted), _quota(location, uses, sizes, free)]


def _free_vcpus(subject: Subject) -> Mapping[str, int]:
    """What is left of the region's quotas, by the family's name in lower case."""
    path = f"{subject.subscription}/providers/Microsoft.Compute/locations/{subject.settings.location}/usages"
    return {
        str(usage["name"]["value"]).lower(): int(usage["limit"]) - int(usage["currentValue"])
        for usage in subject.manager.list(path, USAGES_VERSION)
    }


def _uses(subject: Subject) -> Iterator[Use]:
    """What the stack needs beyond what it has."""
    settings = subject.settings
    training = 1 + settings.training_workers
    yield Use("training_vm_size", settings.training_vm_size, training, training)
    zones = frozenset(zone.value for zone in settings.zones)
    runs = subject.manager.get(cluster_path(subject.stack, settings), CLUSTER_VERSION) is not None
    for pool in ("system",) if settings.shares_nodes else ("system", "scoring"):
        size, least, most = (getattr(settings, f"{pool}_{part}") for part in ("vm_size", "nodes_min", "nodes_max"))
        used = least if runs else 0  # these count as used already
        yield Use(f"{pool}_vm_size", size, least - used, most - used + SURGE, zones)


def _problems(use: Use, sku: Mapping[str, Any] | None, location: str) -> Iterator[str]:
    """Why a VM size can't be used for this; `sku` is None if the region does not have it."""
    if sku is None:
        yield f"{use.size} (`azure.{use.setting}`) does not exist in {location}"
        return
    restrictions = sku.get("restrictions") or ()
    if any(restriction.get("type") == "Location" for restriction in restrictions):
        yield f"{use.size} (`azure.{use.setting}`) is not available to this subscription in {location}"
        return
    offered = {zone for place in sku.get("locationInfo") or () for zone in place.get("zones") or ()}
    for restriction in restrictions:
        offered -= set((restriction.get("restrictionInfo") or {}).get("zones") or ())
    if missing := use.zones - offered:
        yield f"{use.size} (`azure.{use.setting}`) is not offered in zone {', '.join(sorted(missing))}"


def _quota(location: str, uses: list[Use], sizes: Mapping[str, Mapping[str, Any]], free: Mapping[str, int]) -> Finding:
    first = _vcpus_of(sizes, [(use.size, use.first) for use in uses])
    most = _vcpus_of(sizes, [(use.size, use.most) for use in uses])
    left = {family: free.get(family.lower()) for family in most}
    families = [family for family, count in first.items() if count and family != ALL_FAMILIES]
    wanted = ", ".join(f"{first[family]} vCPUs of {family}" for family in families)
    for needed in (first, most):
        short = [family for family, room in left.items() if room is not None and room < needed[family]]
        if not short:
            continue
        asked = ", ".join(f"{family} {most[family]} free" for family in short)
        fix = (
            f"request more in the portal (Quotas, Compute, {location}): {asked}; or choose fewer nodes, or "
            f"{_others(location, uses, sizes, free)}"
        )
        if needed is first:
            return bad("quota", _shown(short, left), wanted, fix)
        return remark("quota", f"enough to start, but not for {MOST}: {_shown(short, left)}", wanted, fix)
    return good("quota", _shown([family for family in left if left[family] is not None], left), wanted)


def _vcpus_of(sizes: Mapping[str, Mapping[str, Any]], nodes: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """vCPUs by family, and of all families together."""
    needed = defaultdict[str, int](int)
    for size, count in nodes:
        for family in (str(sizes[size]["family"]), ALL_FAMILIES):
            needed[family] += count * _vcpus(sizes[size])
    return needed


def _shown(families: list[str], left: Mapping[str, int | None]) -> str:
    return ", ".join(f"{left[family]} vCPUs of {family} free" for family in families)


def _vcpus(sku: Mapping[str, Any]) -> int:
    return next(int(one["value"]) for one in sku.get("capabilities") or () if one["name"] == "vCPUs")


def _others(
    location: str, uses: Iterable[Use], sizes: Mapping[str, Mapping[str, Any]], free: Mapping[str, int], count: int = 5
) -> str:
    """What to try instead: the smallest sizes with a local disk that any of `uses` could have, and other regions."""
    wanted = [use for use in uses if use.first]

    def would_do(size: str) -> bool:
        sku = sizes[size]
        room = free.get(str(sku["family"]).lower(), 0) // _vcpus(sku)
        return all(room >= use.first and not any(_problems(use, sku, location)) for use in wanted)

    fitting = [size for size in sizes if "ds_v" in size and _vcpus(sizes[size]) >= LEAST_VCPUS and would_do(size)]
    named = ", ".join(sorted(fitting, key=lambda size: (_vcpus(sizes[size]), size))[:count])
    return (
        f"another VM size ({location} has {named or 'none that would do'}), or before the first `up` "
        f"another `azure.location`, such as {other_regions(location)}"
    )


def check_kubernetes(subject: Subject) -> Finding:
    """Whether AKS offers the minor version in the region, which would otherwise show after training."""
    location, version = subject.settings.location, subject.settings.kubernetes_version
    path = f"{subject.subscription}/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions"
    listed = (subject.manager.get(path, CLUSTER_VERSION) or {}).get("values") or ()
    offered = sorted(str(entry["version"]) for entry in listed if not entry.get("isPreview"))
    found, wanted = f"{', '.join(offered) or 'none'} on offer", f"Kubernetes {version} on offer in {location}"
    if version in offered:
        return good("Kubernetes", found, wanted)
    if not offered:
        return remark("Kubernetes", "Azure lists no versions", wanted, "look again later")
    return bad("Kubernetes", found, wanted, "set `azure.kubernetes_version` to one of them")
