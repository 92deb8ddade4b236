"""`python -m tools.control_plane`: builds a Kubernetes control plane and Pulumi's Kubernetes provider into the cache.

Both come from pinned Go modules, because the official binaries can't be downloaded everywhere. A program that is in the
cache is not built again; each is built aside and renamed, so an interrupted build leaves no incomplete program.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT, cache_folder
from tools.setup.console import SetupError, exit_status, say
from tools.setup.golang import GoProgram, Toolchain, go_output, go_toolchain
from tools.setup.golang import build as build_go

KUBERNETES = "k8s.io/kubernetes"
PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"


@dataclass(frozen=True)
class Program:
    """A program to build: its name, its module's folder in `tools/`, its package, and what is compiled in."""

    name: str
    module: str
    package: str
    versioned_by: str
    """The module whose version is the program's."""
    variables: tuple[str, ...] = ()
    """Go variables set at link time; `{version}`, `{major}` and `{minor}` are filled in."""
    embedded: str | None = None
    """Folder in `versioned_by` with the JSON files that the program embeds."""


KUBERNETES_VARIABLES = (
    "k8s.io/component-base/version.gitVersion={version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
)
PROGRAMS = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    *(
        Program(name, "kubernetes", f"{KUBERNETES}/cmd/{name}", KUBERNETES, KUBERNETES_VARIABLES)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ),
    Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok"),
    Program(
        "pulumi-resource-kubernetes",
        "pulumi-kubernetes",
        ".",
        PROVIDER,
        (PROVIDER + "/pkg/version.Version={version}",),
        embedded="cmd/pulumi-resource-kubernetes",
    ),
)


def path_of(program: Program) -> Path:
    """Path of `program` in the cache; the folder's name depends on the module's pins and sources."""
    digest = hashlib.sha256(json.dumps([program.package, program.variables]).encode())
    for source in sorted((ROOT / "tools" / program.module).iterdir()):
        if source.is_file():
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return cache_folder() / "control-plane" / f"{program.name}-{digest.hexdigest()[:12]}" / program.name


def missing() -> list[Program]:
    """The programs that are not in the cache yet."""
    return [program for program in PROGRAMS if not os.access(path_of(program), os.X_OK)]


def binaries() -> dict[str, Path]:
    """The programs that are in the cache, by name."""
    absent = missing()
    return {program.name: path_of(program) for program in PROGRAMS if program not in absent}


def build(program: Program, toolchain: Toolchain) -> None:
    """Build one program into the cache; raises `SetupError` if Go, a module or the compiler fails."""
    target = path_of(program)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as aside:
        source = Path(shutil.copytree(ROOT / "tools" / program.module, Path(aside) / "source"))
        if program.embedded:
            _borrow(source, program.versioned_by, program.embedded, toolchain)
        built = Path(aside) / program.name
        build_go(
            GoProgram(name=program.name, module=source, package=program.package, linker_flags=_linker_flags(program)),
            built,
            toolchain,
        )
        built.replace(target)


def _linker_flags(program: Program) -> str:
    pins = (ROOT / "tools" / program.module / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"{re.escape(program.versioned_by)} (v\S+)", pins)
    if found is None:
        raise SetupError(f"tools/{program.module}/go.mod does not pin {program.versioned_by}")
    major, minor = found[1].removeprefix("v").split(".")[:2]
    texts = (text.format(version=found[1], major=major, minor=minor) for text in program.variables)
    return " ".join(["-s -w", *(f"-X {text}" for text in texts)])


def _borrow(source: Path, module: str, folder: str, toolchain: Toolchain) -> None:
    """Copy the files that the program embeds from a pinned module; Go only embeds files of the program's own module."""
    downloaded = json.loads(go_output(toolchain, source, "mod", "download", "-json", module))
    for name in ("schema.json", "terraform-mapping.json"):
        shutil.copyfile(Path(downloaded["Dir"]) / folder / name, source / name)


def ensure_control_plane() -> None:
    """Build the missing programs, reporting progress; raises `SetupError`."""
    absent = missing()
    if not absent:
        return
    with go_toolchain() as toolchain:
        for number, program in enumerate(absent, 1):
            say(f"{program.name}, {number} of {len(absent)}:")
            build(program, toolchain)


if __name__ == "__main__":
    raise SystemExit(exit_status(ensure_control_plane))
