"""`python -m tools.audit`: looks up what is deployed in the list of known vulnerabilities, by OSV-Scanner.

It asks osv.dev about the locked packages, about the sources of Pulumi's engine, and about what the service's image
stands on, with Debian's fixes of the day. What has no fix yet is told; what has one is an error, as then there is
something to do. Programs that only tests and measurements run are left out: they hold no rights, and Dependabot moves
them.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.paths import ROOT
from tools.setup.console import SetupError, exit_status, say
from tools.setup.golang import GoProgram, built

SCANNER = GoProgram(
    name="osv-scanner",
    module=ROOT / "tools" / "osv-scanner",
    package="github.com/google/osv-scanner/v2/cmd/osv-scanner",
)
LOCKS = ("uv.lock", "tools/pulumi/go.mod")
RECIPE = ROOT / "scoring" / "Dockerfile"
BASE = "base"
"""The recipe's stage that all others stand on; what they add to it is in the locks."""
FOUND_NOTHING, FOUND = 0, 1


class VulnerableError(SetupError):
    """Something that is deployed has a known weakness, and a version without it."""


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """A weakness of a package; `fixed` is empty when no version is without it."""

    source: str
    package: str
    version: str
    name: str
    fixed: str

    def __str__(self) -> str:
        fix = f"fixed in {self.fixed}" if self.fixed else "no fix yet"
        return f"{self.source}: {self.package} {self.version}: {self.name}, {fix}"


def audit() -> None:
    """Look up the locks and what is below the image; raises `VulnerableError` or `SetupError`."""
    found = scanned("source", *(part for lock in LOCKS for part in ("--lockfile", str(ROOT / lock))))
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        found += scanned("image", "--archive", str(_base(Path(folder))))
    judge(found)


def judge(found: list[Finding]) -> None:
    """Tell what was found; raises `VulnerableError` when one of it can be mended."""
    for finding in sorted(found):
        say(str(finding))
    mendable = [finding for finding in found if finding.fixed]
    if mendable:
        raise VulnerableError(
            f"{len(mendable)} known weakness(es) have a fix: move what they are in, or write into osv-scanner.toml "
            "beside the lock why one does not concern this project, and until when that is believed"
        )
    say(f"Nothing that is deployed has a known weakness with a fix; {len(found)} have none yet.")


def scanned(kind: str, *what: str) -> list[Finding]:
    """What the scanner finds; raises `SetupError` when it could not look."""
    command = [str(built(SCANNER)), "scan", kind, "--format", "json", *what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - the scanner
    if done.returncode not in {FOUND_NOTHING, FOUND}:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise SetupError(f"OSV-Scanner could not look, and ended with status {done.returncode}: {last[0]}")
    return list(findings(json.loads(done.stdout)))


def findings(answer: dict[str, Any]) -> Iterator[Finding]:
    """The scanner's answer, a weakness with several names once."""
    for result in answer["results"]:
        for one in result["packages"]:
            package = one["package"]
            known = {weakness["id"]: weakness for weakness in one.get("vulnerabilities", [])}
            for group in one.get("groups", []):
                fixes = {fix for name in group["ids"] for fix in _fixes(known[name], package)}
                yield Finding(
                    source=str(result["source"]["path"]).removeprefix(f"{ROOT}/"),
                    package=package["name"],
                    version=package["version"],
                    name=group["ids"][0],
                    fixed=" or ".join(sorted(fixes)),
                )


def _fixes(weakness: dict[str, Any], package: dict[str, Any]) -> Iterator[str]:
    """The versions without it of this package: that of another Debian helps nobody."""
    for affected in weakness.get("affected", []):
        named = affected.get("package", {})
        if all(named.get(part) == package[part] for part in ("name", "ecosystem")):
            for span in affected.get("ranges", []):
                if span["type"] != "GIT":  # commits of a repository, not versions of the package
                    yield from (event["fixed"] for event in span["events"] if "fixed" in event)


def _base(folder: Path) -> Path:
    """What the image stands on, as `docker save` writes it; it needs no file of ours."""
    docker = shutil.which("docker")
    if docker is None:
        raise SetupError("there is no `docker` on PATH to build what the image stands on; install Docker")
    tag, archive = "personalization-audit", folder / "base.tar"
    build = ["build", "--no-cache", "--target", BASE, "--tag", tag, "--file", str(RECIPE), str(folder)]
    for command in (build, ["save", "--output", str(archive), tag]):
        if subprocess.run([docker, *command], check=False, stdout=sys.stderr).returncode != 0:  # noqa: S603 - Docker's own
            raise SetupError(f"Docker can not build stage {BASE} of scoring/{RECIPE.name} (its own words are above)")
    return archive


if __name__ == "__main__":
    sys.exit(exit_status(audit))
