"""The log of a stack on Azure: what its pods wrote, together."""

from collections.abc import Iterator

from features.errors import BadInputError
from infra.azure_settings import AzureSettings
from personalize.clients.cluster import Cluster


def pod_lines(stack: str, settings: AzureSettings, count: int, *, follow: bool) -> Iterator[str]:
    """The last `count` lines of each pod under its name; with `follow` new ones after them, each with its pod's name.

    Raises `BadInputError` when there are no pods, `ClusterUnreachableError`.
    """
    cluster = Cluster.of(stack, settings)
    names = [pod.name for pod in cluster.pods()]
    if not names:
        raise BadInputError(f"Stack {stack} has no logs: it has no pods. `personalize up --stack {stack}` starts them.")
    for name in names:
        yield f"==> {name} <=="
        yield from cluster.lines(name, count)
    if follow:
        for name, line in cluster.follow(names):
            yield f"{name}: {line}"
