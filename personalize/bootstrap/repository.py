"""The `gh` commands that set up a GitHub repository for the workflows. None of them contains a secret."""

import json
from collections.abc import Iterator, Mapping, Sequence

PREVIEW = "-preview"
MAIN = "main"
LABEL = "replaces-data"
"""The label of a pull request that allows deleting data."""


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
    yield "gh", "workflow", "enable", "nightly.yml", "--repo", repository  # GitHub disables schedules in a fork


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
