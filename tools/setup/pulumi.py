"""Brings the Pulumi CLI: the one on PATH, else a build of the pinned sources, each of whose bytes `go.sum` knows."""

import shutil
import tempfile
from pathlib import Path

from tools.paths import ROOT
from tools.setup.console import SetupError, say
from tools.setup.golang import GoProgram, build
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command, pulumi_version, version_numbers
from tools.versions import PULUMI

ASIDE = ".aside-"

PROGRAM = GoProgram(
    name=f"the Pulumi CLI {PULUMI}",
    module=ROOT / "tools" / "pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    # The Automation API refuses a CLI that does not know its own version.
    linker_flags=f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI}",
)


def ensure_pulumi() -> Path:
    """The Pulumi CLI to use, built into the cache when there is none; raises `SetupError`."""
    try:
        return pulumi_command()
    except PulumiMissingError:
        # Whoever was killed in the middle left hundreds of megabytes; the set-up runs once at a time.
        for left in cached_pulumi().parents[2].glob(f"{ASIDE}*"):
            shutil.rmtree(left, ignore_errors=True)
        say(f"Neither PATH nor the cache has a Pulumi CLI of at least {PULUMI}.")
    _build()
    return pulumi_command()


def _build() -> None:
    with _Aside() as folder:
        (folder / "bin").mkdir()
        build(PROGRAM, folder / "bin" / "pulumi")
        _publish(folder)


class _Aside(tempfile.TemporaryDirectory[str]):
    """A folder beside the final one, so that publishing it is one rename."""

    def __init__(self) -> None:
        parent = cached_pulumi().parents[2]
        parent.mkdir(parents=True, exist_ok=True)
        super().__init__(dir=parent, prefix=ASIDE, ignore_cleanup_errors=True)

    def __enter__(self) -> Path:  # type: ignore[override]  # a Path serves better than the name
        folder = Path(super().__enter__()) / "pulumi"
        folder.mkdir()
        return folder


def _publish(folder: Path) -> None:
    found = pulumi_version(folder / "bin" / "pulumi")
    if found != version_numbers(PULUMI):
        raise SetupError(f"the new Pulumi CLI says version {'.'.join(map(str, found)) or 'nothing'}, not {PULUMI}")
    final = cached_pulumi().parents[1]
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
