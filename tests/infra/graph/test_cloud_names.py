"""Azure resource names are always valid, and two stacks never share one."""

import re

from hypothesis import given
from hypothesis import strategies as st

from infra.cloud.names import Name, Names, role_assignment_name

STACKS = st.from_regex(r"\A[A-Za-z0-9_.-]{1,100}\Z")
SUFFIXES = st.from_regex(r"\A[a-z0-9]{1,8}\Z")
SUBSCRIPTIONS = st.uuids().map(str)
NAMES = st.builds(Names, stack=STACKS, subscription=SUBSCRIPTIONS, suffix=SUFFIXES)

GROUP = r"[\w\-.()]{0,89}[\w\-()]"
WORDS = r"[A-Za-z0-9]([A-Za-z0-9-]{0,%d}[A-Za-z0-9])?"
RULES = {
    "training_group": GROUP,
    "serving_group": GROUP,
    "databricks_group": GROUP,
    "nodes_group": r"[\w\-.()]{0,79}[\w\-()]",
    "lake": "[a-z0-9]{3,24}",
    "workspace_storage": "[a-z0-9]{3,24}",
    "registry": "[A-Za-z0-9]{5,50}",
    "vault": r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "logs": "[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "insights": r"[^%&\\?/]{0,259}[^%&\\?/.\s]",
    "machine_learning": "[A-Za-z0-9][A-Za-z0-9_-]{2,32}",
    "databricks": "[A-Za-z0-9_-]{3,64}",
    "connector": "[A-Za-z0-9_-]{3,64}",
    "cluster": WORDS % 61,
    "dns_prefix": WORDS % 52,
    "dns_label": "[a-z][a-z0-9-]{1,61}[a-z0-9]",
    "scoring_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "network": r"[A-Za-z0-9][\w.-]{0,62}\w",
    "cluster_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "private_host": r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]\.internal",
    "action_group": r"[^*#&+:<>?@%{}\\/|]{1,260}",
    "container_rule": "[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]",
    "budget": "[A-Za-z0-9_-]{1,63}",
    "catalog_object": "[a-z0-9_]{1,255}",
}
"""Allowed names per service, from Microsoft's "Naming rules and restrictions for Azure resources"."""
LASTING = ("training_group", "serving_group", "budget")
"""What a destroy leaves, and so no suffix renews."""


@given(names=NAMES)
def test_names_are_valid_whatever_the_stack_is_called(names: Names) -> None:
    assert [name for name, rule in RULES.items() if not re.fullmatch(rule, getattr(names, name))] == []


def test_every_name_has_its_rule() -> None:
    declared = {name for name, value in vars(Names).items() if isinstance(value, property | Name)}
    assert declared - {"readable", "lasting_token"} == set(RULES)


@given(first=NAMES, second=NAMES)
def test_different_stacks_never_share_a_name(first: Names, second: Names) -> None:
    taken = {getattr(first, name) for name in RULES} & {getattr(second, name) for name in RULES}
    same = (first.stack, first.subscription) == (second.stack, second.subscription)
    assert bool(taken) == same


@given(names=NAMES, suffix=SUFFIXES)
def test_a_new_suffix_renews_every_name_but_those_of_what_stays(names: Names, suffix: str) -> None:
    renewed = Names(stack=names.stack, subscription=names.subscription, suffix=suffix)
    same = [name for name in RULES if getattr(renewed, name) == getattr(names, name)]
    assert same == [name for name in RULES if suffix == names.suffix or name in LASTING]


@given(names=NAMES)
def test_the_groups_of_a_stack_differ(names: Names) -> None:
    assert len({names.training_group, names.serving_group, names.databricks_group, names.nodes_group}) == 4
    assert names.databricks_group != names.databricks


@given(names=NAMES, properties=st.lists(st.text(), min_size=1, max_size=3))
def test_a_pool_name_fits_and_depends_on_what_cannot_change(names: Names, properties: list[str]) -> None:
    name = names.scoring_pool(*properties)
    assert re.fullmatch("[a-z][a-z0-9]{0,11}", name)
    assert name == names.scoring_pool(*properties)
    assert name != names.scoring_pool(*properties, "another")


@given(scope=st.text(), role=st.text(alphabet="abc-"), principal=st.text(alphabet="abc-"))
def test_a_role_assignment_has_one_name(scope: str, role: str, principal: str) -> None:
    name = role_assignment_name(scope, role, principal)
    assert name == role_assignment_name(scope, role.upper(), principal)
    assert name != role_assignment_name(scope + "/x", role, principal)
