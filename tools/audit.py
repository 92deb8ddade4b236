"""`python -m tools.audit`: looks for known vulnerabilities in what is deployed, with OSV-Scanner.

It asks osv.dev about the locked packages, the sources of Pulumi's engine, and the base of the service's image with
today's Debian updates. A vulnerability with a fixed version is an error; one without is only reported. Programs that
only tests and benchmarks run are left out: they hold no permissions, and Dependabot updates them.
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
"""The Dockerfile's stage that all others build on; what they add is in the lock files."""
FOUND_NOTHING, FOUND = 0, 1


class VulnerableError(SetupError):
    """Something deployed has a known vulnerability and a fixed version."""


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """A vulnerability of a package; `fixed` is empty if there is no fixed version."""

    source: str
    package: str
    version: str
    name: str
    fixed: str

    def __str__(self) -> str:
        fix = f"fixed in {self.fixed}" if self.fixed else "no fix yet"
        return f"{self.source}: {self.package} {self.version}: {self.name}, {fix}"


def audit() -> None:
    """Scan the lock files and the image's base; raises `VulnerableError` or `SetupError`."""
    found = scanned("source", *(part for lock in LOCKS for part in ("--lockfile", str(ROOT / lock))))
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        found += scanned("image", "--archive", str(_base(Path(folder))))
    judge(found)


def judge(found: list[Finding]) -> None:
    """Print the findings; raises `VulnerableError` if one of them has a fixed version."""
    for finding in sorted(found):
        say(str(finding))
    mendable = [finding for finding in found if finding.fixed]
    if mendable:
        raise VulnerableError(
            f"{len(mendable)} known vulnerability(ies) have a fix: update the packages, or write into osv-scanner.toml "
            "beside the lock file why one does not affect this project, with a date until which that holds"
        )
    say(f"Nothing deployed has a known vulnerability with a fix; {len(found)} have no fix yet.")


def scanned(kind: str, *what: str) -> list[Finding]:
    """The scanner's findings; raises `SetupError` if the scan failed."""
    command = [str(built(SCANNER)), "scan", kind, "--format", "json", *what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - the scanner
    if done.returncode not in {FOUND_NOTHING, FOUND}:
        last = done.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise SetupError(f"OSV-Scanner failed with status {done.returncode}: {last[0]}")
    return list(findings(json.loads(done.stdout)))


def findings(answer: dict[str, Any]) -> Iterator[Finding]:
    """The findings in the scanner's answer; a vulnerability with several names appears once."""
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
    """The fixed versions of this package; those for another Debian release don't count."""
    for affected in weakness.get("affected", []):
        named = affected.get("package", {})
        if all(named.get(part) == package[part] for part in ("name", "ecosystem")):
            for span in affected.get("ranges", []):
                if span["type"] != "GIT":  # commits of a repository, not versions of the package
                    yield from (event["fixed"] for event in span["events"] if "fixed" in event)


def _base(folder: Path) -> Path:
    """The image's base as `docker save` writes it; building it needs no file of ours."""
    docker = shutil.which("docker")
    if docker is None:
        raise SetupError("there is no `docker` on PATH to build the image's base; install Docker")
    tag, archive = "personalization-audit", folder / "base.tar"
    build = ["build", "--no-cache", "--target", BASE, "--tag", tag, "--file", str(RECIPE), str(folder)]
    for command in (build, ["save", "--output", str(archive), tag]):
        if subprocess.run([docker, *command], check=False, stdout=sys.stderr).returncode != 0:  # noqa: S603 - Docker's own
            raise SetupError(f"Docker cannot build stage {BASE} of scoring/{RECIPE.name} (its output is above)")
    return archive


if __name__ == "__main__":
    sys.exit(exit_status(audit))
