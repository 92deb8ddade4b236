"""Finds the Pulumi CLI on PATH or in the cache, or builds it from pinned sources, whose checksums are in `go.sum`."""

from pathlib import Path

from features.files import written_aside
from tools.setup.console import SetupError, say
from tools.setup.golang import GoProgram, build, go_toolchain
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command, pulumi_version, version_numbers
from tools.versions import PULUMI

PROGRAM = GoProgram(
    "pulumi",
    "pulumi",
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "github.com/pulumi/pulumi/pkg/v3",
    # The Automation API refuses a CLI that does not know its own version.
    ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",),
)


def ensure_pulumi() -> Path:
    """The Pulumi CLI to use, built into the cache if there is none; raises `SetupError`."""
    try:
        return pulumi_command()
    except PulumiMissingError:
        say(f"Neither PATH nor the cache has a Pulumi CLI of at least {PULUMI}.")
    target = cached_pulumi()
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.*"):
        left.unlink()  # left by a set-up that was killed; only one runs at a time
    with written_aside(target) as aside:
        with go_toolchain() as toolchain:
            build(PROGRAM, aside, toolchain)
        found = pulumi_version(aside)
        if found != version_numbers(PULUMI):
            raise SetupError(
                f"the new Pulumi CLI reports version {'.'.join(map(str, found)) or 'nothing'}, not {PULUMI}"
            )
    return pulumi_command()
