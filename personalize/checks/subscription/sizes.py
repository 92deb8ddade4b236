"""Whether the VM sizes are available in the region and its zones, and within the subscription's quota."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from personalize.checks.doctor import Finding
from personalize.checks.subscription.subject import Subject, bad, good, remark

SKUS_VERSION = "2021-07-01"
USAGES_VERSION = "2024-07-01"
ALL_FAMILIES = "cores"
"""Azure's name for the vCPUs of all families in a region."""
SURGE = 1
"""Nodes that an upgrade adds temporarily."""


@dataclass(frozen=True)
class Use:
    """Nodes of one size: the setting, the first and the highest number of nodes, and their zones."""

    setting: str
    size: str
    first: int
    most: int
    zones: frozenset[str] = frozenset()


def check_sizes(subject: Subject) -> list[Finding]:
    """A finding about sizes and zones, and one about the quota."""
    query = {"$filter": f"location eq '{subject.settings.location}'"}
    sizes = {
        str(sku["name"]): sku
        for sku in subject.manager.list(
            f"{subject.subscription}/providers/Microsoft.Compute/skus", SKUS_VERSION, **query
        )
        if sku.get("resourceType") == "virtualMachines"
    }
    uses = _uses(subject)
    problems = [problem for use in uses for problem in _problems(use, sizes.get(use.size), subject.settings.location)]
    wanted = f"every size and zone on offer in {subject.settings.location}"
    if problems:
        offered = ", ".join(_offered(sizes)) or "none at all"
        fix = f"choose another size or region; small ones available there: {offered}"
        return [bad("VM sizes", "; ".join(problems), wanted, fix)]
    shown = ", ".join(sorted({use.size for use in uses}))
    return [good("VM sizes", f"{shown} in {subject.settings.location}", wanted), _quota(subject, uses, sizes)]


def _uses(subject: Subject) -> list[Use]:
    settings = subject.settings
    zones = frozenset(zone.value for zone in settings.zones)
    training = 1 + settings.training_workers
    found = [Use("training_vm_size", settings.training_vm_size, training, training)]
    if subject.cluster_exists:  # its nodes count as used already
        return found
    return [
        *found,
        Use(
            "system_vm_size",
            settings.system_vm_size,
            settings.system_nodes_min,
            settings.system_nodes_max + SURGE,
            zones,
        ),
        Use(
            "scoring_vm_size",
            settings.scoring_vm_size,
            settings.scoring_nodes_min,
            settings.scoring_nodes_max + SURGE,
            zones,
        ),
    ]


def _problems(use: Use, sku: Mapping[str, Any] | None, location: str) -> Iterator[str]:
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


def _quota(subject: Subject, uses: list[Use], sizes: Mapping[str, Mapping[str, Any]]) -> Finding:
    path = f"{subject.subscription}/providers/Microsoft.Compute/locations/{subject.settings.location}/usages"
    free = {
        str(usage["name"]["value"]).lower(): int(usage["limit"]) - int(usage["currentValue"])
        for usage in subject.manager.list(path, USAGES_VERSION)
    }
    first, most = defaultdict[str, int](int), defaultdict[str, int](int)
    for use in uses:
        for family in (str(sizes[use.size]["family"]), ALL_FAMILIES):
            first[family] += use.first * _vcpus(sizes[use.size])
            most[family] += use.most * _vcpus(sizes[use.size])
    wanted = ", ".join(f"{count} vCPUs of {family}" for family, count in first.items() if family != ALL_FAMILIES)
    left = {family: free.get(family.lower()) for family in first}
    short = [family for family, room in left.items() if room is not None and room < first[family]]
    tight = [family for family, room in left.items() if room is not None and room < most[family]]
    if short:
        return bad("quota", _shown(short, left), wanted, _more(subject, {family: most[family] for family in short}))
    if tight:
        found = f"enough to start, but not for the highest number of nodes: {_shown(tight, left)}"
        return remark("quota", found, wanted, _more(subject, {family: most[family] for family in tight}))
    return good("quota", _shown([family for family in left if left[family] is not None], left), wanted)


def _more(subject: Subject, wanted: Mapping[str, int]) -> str:
    asked = ", ".join(f"{family} {count} free" for family, count in wanted.items())
    return (
        f"request more in the portal (Quotas, Compute, {subject.settings.location}): {asked}; or choose other sizes or "
        "fewer nodes in the stack file"
    )


def _shown(families: list[str], left: Mapping[str, int | None]) -> str:
    return ", ".join(f"{left[family]} vCPUs of {family} free" for family in families)


def _vcpus(sku: Mapping[str, Any]) -> int:
    found = {capability["name"]: capability["value"] for capability in sku.get("capabilities") or ()}
    return int(found["vCPUs"])


def _offered(sizes: Mapping[str, Mapping[str, Any]], count: int = 5) -> list[str]:
    """Some small sizes with a local disk and without restrictions."""
    free = [name for name, sku in sizes.items() if not sku.get("restrictions") and "ds_v" in name]
    return sorted(free, key=lambda name: (_vcpus(sizes[name]), name))[:count]
