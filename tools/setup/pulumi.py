"""Finds the Pulumi CLI on PATH or in the cache, or fetches its pinned release. Where that cannot be had, it is built
from pinned sources, whose checksums are in `go.sum`.
"""

import hashlib
import platform
import shutil
import tarfile
import tempfile
from pathlib import Path

import httpx

from features.files import written_aside
from tools.setup.console import say
from tools.setup.golang import GoProgram, built
from tools.setup.trust import tls
from tools.toolchain import PulumiMissingError, cached_pulumi, pulumi_command
from tools.versions import PULUMI

RELEASES = "https://github.com/pulumi/pulumi/releases/download"
PATIENCE = httpx.Timeout(20, connect=5)
"""Seconds without a byte, and to connect, after which a release is not waited for."""
MEMBER = "pulumi/pulumi"
"""The CLI in a release's archive."""
_PROCESSORS = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def ensure_pulumi() -> Path:
    """The Pulumi CLI to use, fetched or built into the cache if there is none; raises `SetupError`."""
    try:
        return pulumi_command()
    except PulumiMissingError:
        say(f"Neither PATH nor the cache has a Pulumi CLI of at least {PULUMI}.")
    if problem := fetch(cached_pulumi()):
        say(f"Its release can't be used ({problem}), so it is built from source, which takes minutes.")
        return _built()
    return cached_pulumi()


def fetch(place: Path, releases: str = RELEASES, patience: httpx.Timeout = PATIENCE) -> str:
    """Put the pinned release's CLI at `place`, compared with the release's checksums; returns why not, "" if it is
    there.
    """
    archive = f"pulumi-v{PULUMI}-{platform.system().lower()}-{_PROCESSORS.get(platform.machine(), '')}.tar.gz"
    folder = f"{releases}/v{PULUMI}"
    say(f"Fetching {folder}/{archive} ...")
    try:
        with (
            httpx.Client(timeout=patience, follow_redirects=True, verify=tls()) as client,
            tempfile.TemporaryFile() as content,
        ):
            sums = client.get(f"{folder}/pulumi-{PULUMI}-checksums.txt").raise_for_status().text
            expected = {name: digest for digest, _, name in (line.partition("  ") for line in sums.splitlines())}
            digest = hashlib.sha256()
            with client.stream("GET", f"{folder}/{archive}") as answer:
                for chunk in answer.raise_for_status().iter_bytes():
                    digest.update(chunk)
                    content.write(chunk)
            if digest.hexdigest() != expected.get(archive):
                return f"{archive} has not the SHA-256 that the release names"
            content.seek(0)
            with tarfile.open(fileobj=content, mode="r:gz") as members:
                program = members.extractfile(MEMBER)
                if program is None:
                    return f"{archive} has no file {MEMBER}"
                place.parent.mkdir(parents=True, exist_ok=True)
                with written_aside(place) as aside:
                    with aside.open("wb") as target:
                        shutil.copyfileobj(program, target)
                    aside.chmod(0o755)
    except (httpx.HTTPError, tarfile.TarError, KeyError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _built() -> Path:
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
