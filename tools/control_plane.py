"""`python -m tools.control_plane`: builds a Kubernetes control plane and Pulumi's Kubernetes provider into the cache.

Both come from pinned Go modules, because the official binaries can't be downloaded everywhere. A program that is in the
cache is not built again; each is built aside and renamed, so an interrupted build leaves no incomplete program.
"""

import os
from pathlib import Path

from tools.setup.console import exit_status
from tools.setup.golang import GoProgram, built

CACHE = "control-plane"
KUBERNETES = "k8s.io/kubernetes"
PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"


KUBERNETES_VARIABLES = (
    "k8s.io/component-base/version.gitVersion={version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
)
PROGRAMS = (
    GoProgram("etcd", "etcd", "go.etcd.io/etcd/server/v3", cache=CACHE),
    *(
        GoProgram(name, "kubernetes", f"{KUBERNETES}/cmd/{name}", KUBERNETES, KUBERNETES_VARIABLES, cache=CACHE)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ),
    GoProgram("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", cache=CACHE),
    GoProgram(
        "pulumi-resource-kubernetes",
        "pulumi-kubernetes",
        ".",
        PROVIDER,
        (PROVIDER + "/pkg/version.Version={version}",),
        embedded="cmd/pulumi-resource-kubernetes",
        cache=CACHE,
    ),
)


def binaries() -> dict[str, Path]:
    """The programs that are in the cache, by name."""
    return {program.name: program.path for program in PROGRAMS if os.access(program.path, os.X_OK)}


if __name__ == "__main__":
    raise SystemExit(exit_status(lambda: built(*PROGRAMS)))
