"""Policies for pods, whichever resource creates them, and for network access to them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.rule import Properties, dig, rule
from steps.shared.cluster_names import PORT

POD = "kubernetes:core/v1:Pod"
SERVERS = frozenset(f"kubernetes:apps/v1:{kind}" for kind in ("Deployment", "StatefulSet", "DaemonSet"))
CRON_JOB = "kubernetes:batch/v1:CronJob"
MAKERS = SERVERS | {"kubernetes:batch/v1:Job", CRON_JOB}
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
PODS_IN = ("spec.template.spec", "spec.jobTemplate.spec.template.spec", "spec")
"""Where the pod specification is: in a controller, in a CronJob, in a pod itself."""


def _pod(properties: Properties) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(spec for path in PODS_IN if (spec := dig(properties, path)))
    return found


def _containers(properties: Properties) -> Iterator[Mapping[str, Any]]:
    pod = _pod(properties)
    yield from pod.get("initContainers") or ()
    yield from pod.get("containers") or ()


@rule("pod-limits", "Every container has resource requests and limits.", *MAKERS, POD)
def _limits(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        for kind in ("requests", "limits"):
            missing = [name for name in ("cpu", "memory") if not dig(container, f"resources.{kind}.{name}")]
            if missing:
                yield f"container {container['name']} has no {kind} for {' and '.join(missing)}."


@rule("pod-probes", "Every serving container has readiness and liveness probes.", *SERVERS)
def _probes(properties: Properties, _: str) -> Iterator[str]:
    for container in _pod(properties).get("containers") or ():
        missing = [name for name in ("readinessProbe", "livenessProbe") if not container.get(name)]
        if missing:
            yield f"container {container['name']} has no {' and no '.join(missing)}."


@rule("pod-non-root", "No container runs as root.", *MAKERS, POD)
def _root(properties: Properties, _: str) -> Iterator[str]:
    everywhere = dig(_pod(properties), "securityContext.runAsNonRoot")
    for container in _containers(properties):
        own = dig(container, "securityContext.runAsNonRoot")
        if not (everywhere if own is None else own):
            yield f"container {container['name']} may run as root: set `runAsNonRoot`."


@rule("pod-privileges", "No container can gain a privilege.", *MAKERS, POD)
def _privileges(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        context = container.get("securityContext") or {}
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            yield f"container {container['name']} may gain privileges: set `allowPrivilegeEscalation` to false."
        if "ALL" not in (dig(context, "capabilities.drop") or ()):
            yield f"container {container['name']} keeps capabilities: drop ALL."


@rule("image-digests", "Every image is referenced by its digest.", *MAKERS, POD)
def _tags(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        if not DIGEST.fullmatch(str(container["image"])):
            yield f"the image {container['image']} is not referenced by digest, so its content can change unnoticed."


@rule(
    "port-with-key",
    "A port that needs no API key is open to selected pods only.",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy",
)
def _open_ports(properties: Properties, _: str) -> Iterator[str]:
    for entry in dig(properties, "spec.ingress") or ():
        opened: list[Mapping[str, Any]] = entry.get("ports") or [{}]
        ports = [port.get("port") for port in opened]
        if not entry.get("from") and (others := [port for port in ports if port != PORT]):
            yield f"ports {others} are open to every pod; only {PORT}, which needs an API key, may be."


RULES = (
    _limits,
    _probes,
    _root,
    _privileges,
    _tags,
    _open_ports,
)
