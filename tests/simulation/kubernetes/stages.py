"""What kwok does with nodes and pods: both are ready at once, except pods with a broken image."""

from collections.abc import Sequence
from typing import Any

GROUP = "kwok.x-k8s.io"
NOTHING = "none"
"""A placeholder for a list that may not be empty."""

STAGE_DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"stages.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Cluster",
        "names": {"kind": "Stage", "listKind": "StageList", "plural": "stages", "singular": "stage"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}

NODE_READY = """
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
{{ $has := .metadata.annotations }}
{{ $pods := index $has "simulation/pods" | Quote }}
allocatable:
  cpu: {{ index $has "simulation/allocatable-cpu" | Quote }}
  memory: {{ index $has "simulation/allocatable-memory" | Quote }}
  pods: {{ $pods }}
  ephemeral-storage: 100Gi
capacity:
  cpu: {{ index $has "simulation/cpu" | Quote }}
  memory: {{ index $has "simulation/memory" | Quote }}
  pods: {{ $pods }}
  ephemeral-storage: 100Gi
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  kubeletVersion: {{ Version | Quote }}
  bootID: ""
  machineID: ""
  systemUUID: ""
  kernelVersion: ""
  osImage: ""
  containerRuntimeVersion: ""
  kubeProxyVersion: ""
phase: Running
"""
POD_READY = """
conditions:
{{ range (list "PodReadyToStartContainers" "Initialized" "Ready" "ContainersReady") }}
- {type: {{ . | Quote }}, status: "True", lastTransitionTime: {{ Now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ Now | Quote }}}}
{{ end }}
{{ $host := or .spec.hostNetwork false }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
{{ $pod := .metadata }}
podIP: {{ PodIPWith .spec.nodeName $host (or $pod.uid "") (or $pod.name "") (or $pod.namespace "") | Quote }}
phase: Running
startTime: {{ Now | Quote }}
"""
POD_BROKEN = """
conditions:
- {type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 3
  state: {waiting: {reason: CrashLoopBackOff, message: "the readiness check never passed (simulated)"}}
{{ end }}
phase: Pending
startTime: {{ Now | Quote }}
"""


def stages(broken_images: Sequence[str]) -> list[dict[str, Any]]:
    """The stages to apply; pods with one of `broken_images` (whole references) never become ready."""
    images = list(broken_images) or [NOTHING]
    alive = _expression(".metadata.deletionTimestamp", "DoesNotExist")
    fresh = _expression(".status.startTime", "DoesNotExist")
    image = ".spec.containers.[].image"
    begins = [alive, fresh]
    return [
        _stage(
            "node-ready",
            "Node",
            [_expression('.status.conditions.[] | select( .type == "Ready" ) | .status', "NotIn", ["True"])],
            {"statusTemplate": NODE_READY},
        ),
        _stage("pod-ready", "Pod", [*begins, _expression(image, "NotIn", images)], {"statusTemplate": POD_READY}),
        _stage("pod-broken", "Pod", [*begins, _expression(image, "In", images)], {"statusTemplate": POD_BROKEN}),
        _stage(
            "pod-delete",
            "Pod",
            [_expression(".metadata.deletionTimestamp", "Exists")],
            {"finalizers": {"empty": True}, "delete": True},
        ),
    ]


def _stage(name: str, kind: str, selector: list[dict[str, Any]], following: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": selector},
            "next": following,
        },
    }


def _expression(key: str, operator: str, values: Sequence[str] = ()) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
