"""Which fall-backs of a stack would do: other VM sizes in its region, and other regions with its VM sizes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from personalize.checks.doctor import Finding
from personalize.checks.subscription.sizes import (
    ALL_FAMILIES,
    Use,
    free_vcpus,
    problems_of,
    uses_of,
    vcpus_of,
    vm_sizes,
)
from personalize.checks.subscription.subject import Subject, good, remark


def check_fallbacks(subject: Subject) -> list[Finding]:
    """A finding for each setting that names fall-backs."""
    uses = [use for use in uses_of(subject) if use.first]
    named = {use: getattr(subject.settings, use.setting.replace("_size", "_fallbacks")) for use in uses}
    found = []
    if any(named.values()):
        here = Region.of(subject, subject.settings.location)
        found = [_sizes(here, uses, use, fallbacks) for use, fallbacks in named.items() if fallbacks]
    if subject.settings.location_fallbacks:
        found.append(_regions(subject, uses))
    return found


@dataclass(frozen=True)
class Region:
    """What a region has for the subscription: its VM sizes, and the free vCPUs by family."""

    location: str
    sizes: Mapping[str, Mapping[str, Any]]
    free: Mapping[str, int]

    @classmethod
    def of(cls, subject: Subject, location: str) -> "Region":
        """Ask Azure."""
        return cls(location, vm_sizes(subject, location), free_vcpus(subject, location))

    def objections(self, uses: Iterable[Use], use: Use) -> Iterator[str]:
        """Why `use`, one of `uses`, can't be met here; nothing if it can."""
        sku = self.sizes.get(use.size)
        yield from problems_of(use, sku, self.location)
        if sku is None:
            return
        needed = vcpus_of(self.sizes, [(one.size, one.first) for one in uses if one.size in self.sizes])
        for family in (str(sku["family"]), ALL_FAMILIES):
            left = self.free.get(family.lower(), needed[family])
            if left < needed[family]:
                yield f"{needed[family]} vCPUs of {family} are needed, and {left} are free"


def _sizes(here: Region, uses: Sequence[Use], use: Use, fallbacks: Iterable[str]) -> Finding:
    def objections(size: str) -> list[str]:
        other = replace(use, size=size)
        return list(here.objections([other if one is use else one for one in uses], other))

    judged = {size: objections(size) for size in fallbacks if size != use.size}
    first = next((size for size, against in judged.items() if not against), None)
    wanted = f"a VM size to choose if Azure has no {use.size} in {here.location}"
    name = use.setting.replace("_size", " fall-backs").replace("_", " ")
    if first is not None:
        return good(name, f"`azure.{use.setting}: {first}` would do{_others(judged, first)}", wanted)
    fix = f"name other VM sizes in `azure.{use.setting.replace('_size', '_fallbacks')}`"
    return remark(name, f"none would do{_others(judged)}", wanted, fix)


def _regions(subject: Subject, uses: Sequence[Use]) -> Finding:
    def objections(location: str) -> list[str]:
        there = Region.of(subject, location)
        return list(dict.fromkeys(against for use in uses for against in there.objections(uses, use)))

    judged = {location: objections(location) for location in subject.settings.location_fallbacks}
    first = next((location for location, against in judged.items() if not against), None)
    name, wanted = "location fall-backs", "a region that has every VM size, and quota for them"
    if first is not None:
        return good(name, f"`azure.location: {first}` would do{_others(judged, first)}", wanted)
    fix = "name other regions in `azure.location_fallbacks`, or other VM sizes"
    return remark(name, f"none would do{_others(judged)}", wanted, fix)


def _others(judged: Mapping[str, Sequence[str]], first: str = "") -> str:
    """The rest of a finding: the other fall-backs, with what they lack."""
    others = ((one, against) for one, against in judged.items() if one != first)
    return "".join(f"; {one}: {'; '.join(against)}" if against else f"; {one} too" for one, against in others)
