"""`doctor` tells half a year ahead what leaves its maker's support."""

from dataclasses import replace
from datetime import date

import pytest

from personalize.checks.doctor import Finding, Status
from personalize.checks.subscription.preflight import examine
from tests.personalize.subscription.conftest import World

RUNTIME_ENDS = date(2027, 8, 19)
"""Of Databricks Runtime 15.4 LTS: Microsoft, "Databricks Runtime release notes versions and compatibility"."""


def on(world: World, day: date, kubernetes_version: str) -> list[Finding]:
    subject = replace(world.subject(kubernetes_version=kubernetes_version), today=lambda: day)
    return [found for found in examine(subject) if found.name == "support"]


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (date(2026, 10, 1), []),
        (date(2026, 10, 3), ["Kubernetes 1.35 leaves its maker's support on 2027-03-31"]),
        (date(2027, 4, 1), ["Kubernetes 1.35 left", "Databricks runtime 15.4 leaves"]),
        (date(2027, 11, 1), ["Kubernetes 1.35 left", "Databricks runtime 15.4 left", "Python 3.11 left"]),
    ],
)
def test_what_ends_within_half_a_year_is_told_with_its_day(world: World, day: date, told: list[str]) -> None:
    found = on(world, day, kubernetes_version="1.35")
    remarks = [one for one in found if one.status is Status.REMARK]
    assert len(remarks) == len(told)
    for one, begin in zip(remarks, told, strict=True):
        assert one.found.startswith(begin)
        assert one.fix
    assert all(one.ok for one in found), "nothing stops `up`"


def test_before_that_the_first_to_end_is_named(world: World) -> None:
    (found,) = on(world, date(2026, 10, 1), kubernetes_version="1.37")
    assert (found.status, found.found) == (Status.OK, f"first to end: Databricks runtime 15.4 on {RUNTIME_ENDS}")
