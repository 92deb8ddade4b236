"""Policies for every pod, whichever resource creates it, and for who may reach it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.rule import Properties, Rule, dig
from steps.shared.cluster_names import PORT

POD = "kubernetes:core/v1:Pod"
SERVERS = frozenset(f"kubernetes:apps/v1:{kind}" for kind in ("Deployment", "StatefulSet", "DaemonSet"))
CRON_JOB = "kubernetes:batch/v1:CronJob"
MAKERS = SERVERS | {"kubernetes:batch/v1:Job", CRON_JOB}
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
PODS_IN = ("spec.template.spec", "spec.jobTemplate.spec.template.spec", "spec")
"""Where a pod's specification stands: in what makes pods, in what makes what makes them, in the pod itself."""


def _pod(properties: Properties) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(spec for path in PODS_IN if (spec := dig(properties, path)))
    return found


def _containers(properties: Properties) -> Iterator[Mapping[str, Any]]:
    pod = _pod(properties)
    yield from pod.get("initContainers") or ()
    yield from pod.get("containers") or ()


def _limits(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        for kind in ("requests", "limits"):
            missing = [name for name in ("cpu", "memory") if not dig(container, f"resources.{kind}.{name}")]
            if missing:
                yield f"container {container['name']} has no {kind} for {' and '.join(missing)}."


def _probes(properties: Properties, _: str) -> Iterator[str]:
    for container in _pod(properties).get("containers") or ():
        missing = [name for name in ("readinessProbe", "livenessProbe") if not container.get(name)]
        if missing:
            yield f"container {container['name']} has no {' and no '.join(missing)}."


def _root(properties: Properties, _: str) -> Iterator[str]:
    everywhere = dig(_pod(properties), "securityContext.runAsNonRoot")
    for container in _containers(properties):
        own = dig(container, "securityContext.runAsNonRoot")
        if not (everywhere if own is None else own):
            yield f"container {container['name']} may run as root: set `runAsNonRoot`."


def _privileges(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        context = container.get("securityContext") or {}
        if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
            yield f"container {container['name']} may gain privileges: set `allowPrivilegeEscalation` to false."
        if "ALL" not in (dig(context, "capabilities.drop") or ()):
            yield f"container {container['name']} keeps capabilities: drop ALL."


def _tags(properties: Properties, _: str) -> Iterator[str]:
    for container in _containers(properties):
        if not DIGEST.fullmatch(str(container["image"])):
            yield f"the image {container['image']} is not named by its digest, so it can change unseen."


def _open_ports(properties: Properties, _: str) -> Iterator[str]:
    for rule in dig(properties, "spec.ingress") or ():
        opened: list[Mapping[str, Any]] = rule.get("ports") or [{}]
        ports = [port.get("port") for port in opened]
        if not rule.get("from") and (others := [port for port in ports if port != PORT]):
            yield f"ports {others} are open to every pod; only {PORT}, which asks for a key, may be: name who may ask."


RULES = (
    Rule(
        name="pod-limits",
        description="Every container says what it needs and gets no more.",
        types=MAKERS | {POD},
        check=_limits,
    ),
    Rule(
        name="pod-probes",
        description="Every container that serves can be asked whether it works.",
        types=SERVERS,
        check=_probes,
    ),
    Rule(name="pod-non-root", description="No container runs as root.", types=MAKERS | {POD}, check=_root),
    Rule(
        name="pod-privileges",
        description="No container can gain a privilege.",
        types=MAKERS | {POD},
        check=_privileges,
    ),
    Rule(
        name="image-digests",
        description="Every image is named by its digest.",
        types=MAKERS | {POD},
        check=_tags,
    ),
    Rule(
        name="port-with-key",
        description="What asks for no key is open to named pods alone.",
        types=frozenset({"kubernetes:networking.k8s.io/v1:NetworkPolicy"}),
        check=_open_ports,
    ),
)
