"""Whether the resources exist that the settings give to the stack instead of letting it create its own."""

from collections.abc import Iterator

from infra.private import ZONES
from personalize.checks.doctor import Finding
from personalize.checks.subscription.free_names import GROUP_VERSION
from personalize.checks.subscription.subject import Subject, bad, good

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
            yield name, f"{subject.subscription}/resourceGroups/{group}", GROUP_VERSION
    if settings.log_analytics is not None:
        yield "log_analytics", settings.log_analytics, LOGS_VERSION
    for zone in ZONES if settings.private_dns_zones is not None else ():
        path = f"{settings.private_dns_zones}/providers/Microsoft.Network/privateDnsZones/{zone}"
        yield "private_dns_zones", path, ZONE_VERSION
