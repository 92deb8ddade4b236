"""Finds the Pulumi CLI on PATH or in the cache, or builds it from pinned sources, whose checksums are in `go.sum`."""

from pathlib import Path

from tools.setup.console import say
from tools.setup.golang import GoProgram, built
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command
from tools.versions import PULUMI


def ensure_pulumi() -> Path:
    """The Pulumi CLI to use, built into the cache if there is none; raises `SetupError`."""
    try:
        return pulumi_command()
    except PulumiMissingError:
        say(f"Neither PATH nor the cache has a Pulumi CLI of at least {PULUMI}.")
    program = GoProgram(
        "pulumi",
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        # The Automation API refuses a CLI that does not know its own version.
        ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",),
        place=cached_pulumi(),
    )
    return built(program)[0]
