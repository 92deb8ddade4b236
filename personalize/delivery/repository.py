"""The `gh` commands that set up a GitHub repository for the workflows. None of them contains a secret."""

import json
from collections.abc import Iterator, Mapping, Sequence

from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.delivery.plan import LABEL
from personalize.stack.on_azure import azure_of
from tools.paths import ROOT

PREVIEW = "-preview"
MAIN = "main"
SCHEDULED = ("audit", "nightly", "resource-drift", "retrain")
"""The workflows with a schedule, which GitHub disables in a fork."""


def commands(
    repository: str, variables: Mapping[str, Mapping[str, str]], stacks: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """The commands, each as its words. `variables` are by environment, the empty name standing for the repository."""
    yield "gh", "repo", "edit", repository, "--enable-issues"  # a new fork has none
    yield "gh", "label", "create", LABEL, "--repo", repository, "--force", "--description", "May delete stored data"
    for environment, own in variables.items():
        place: tuple[str, ...] = ()
        if environment:
            place = ("--env", environment)
            deploys = environment in stacks or not environment.endswith(PREVIEW)
            yield from _environment(f"repos/{repository}/environments/{environment}", deploys=deploys)
        for name, value in own.items():
            yield "gh", "variable", "set", name, "--repo", repository, *place, "--body", value
    yield "gh", "variable", "set", "STACKS", "--repo", repository, "--body", json.dumps(list(stacks))
    for workflow in SCHEDULED:
        yield "gh", "workflow", "enable", f"{workflow}.yml", "--repo", repository


def _environment(path: str, *, deploys: bool) -> Iterator[tuple[str, ...]]:
    """Create an environment, for the main branch alone if its identity deploys: others hold code nobody has reviewed.

    See "Deployment branches and tags" on GitHub's page "Managing environments for deployment".
    """
    if not deploys:
        yield "gh", "api", "-X", "PUT", path
        return
    policy = "deployment_branch_policy"
    rule = ("-F", f"{policy}[protected_branches]=false", "-F", f"{policy}[custom_branch_policies]=true")
    yield "gh", "api", "-X", "PUT", path, *rule
    yield "gh", "api", "-X", "POST", f"{path}/deployment-branch-policies", "-f", f"name={MAIN}"


def stacks_of(repository: str, stack: str, settings: AzureSettings) -> list[str]:
    """`stack`, and the stacks of this checkout whose settings name the repository, those that are protected last."""
    names = [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in ROOT.glob("Pulumi.*.yaml")]
    found = {name: azure_of_file(name) for name in names} | {stack: settings}
    own = {name: azure for name, azure in found.items() if azure and azure.github_repository == repository}
    return sorted(own, key=lambda name: (own[name].protect, name))


def azure_of_file(stack: str) -> AzureSettings | None:
    """The settings of a stack on Azure; None for another stack, or one whose file can't be used."""
    try:
        return azure_of(stack)
    except BadInputError:
        return None
