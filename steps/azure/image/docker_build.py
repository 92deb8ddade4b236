"""Builds with `docker buildx` on this machine if ACR Tasks can't, and pushes with the deployer's token."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from azure_clients.credentials import MANAGER_SCOPE, credential
from steps.azure.image.build_context import BuildContext
from steps.azure.image.registry_build import LOG_LINES, BuildFailedError
from steps.descriptions.places import ContainerRegistry
from steps.provider.step import Context
from steps.shared.child import clean_environment, run_child

USER = "00000000-0000-0000-0000-000000000000"
"""The user name for sign-in with a token."""
REQUEST_SECONDS = 30.0
LOGIN_SECONDS = 60.0


@dataclass(frozen=True)
class DockerBuild:
    """Builds for one container registry."""

    registry: ContainerRegistry
    context: Context
    why: str
    """Why not in the registry."""
    otherwise: str = ""
    """What could be done instead of installing Docker, if anything."""

    def run(self, content: BuildContext, repository: str) -> str:
        """Build and push `content` as `repository`; returns the image's digest. Raises `BuildFailedError`."""
        docker = shutil.which("docker")
        if docker is None:
            raise BuildFailedError(
                f"{self.why}, and there is no `docker` on PATH: install Docker with buildx on this machine"
                f"{', ' if self.otherwise else ''}{self.otherwise}, then run `up` again."
            )
        self._sign_in(docker)
        with TemporaryDirectory(prefix="image-") as place:
            facts = Path(place) / "metadata.json"
            command = [
                *(docker, "buildx", "build", "--platform", "linux/amd64", "--push", "--progress", "plain"),
                *("--target", content.target, "--tag", f"{self.registry.login_server}/{repository}:{content.tag}"),
                *("--metadata-file", str(facts), str(content.folder)),
            ]
            log: list[str] = []
            finished = run_child(
                command,
                folder=Path(place),
                environment=clean_environment(),
                on_line=lambda line: self._show(line, log),
                context=self.context,
            )
            if finished.code != 0:
                end = "\n".join(log[-LOG_LINES:])
                raise BuildFailedError(f"`docker buildx` ended with code {finished.code}. The end of its log:\n{end}")
            return str(json.loads(facts.read_text())["containerimage.digest"])

    def _sign_in(self, docker: str) -> None:
        """Exchange the deployer's token for a token of the registry, and sign Docker in with it."""
        server = self.registry.login_server
        token = credential(self.registry.tenant).get_token(MANAGER_SCOPE).token
        form = {"grant_type": "access_token", "service": server, "access_token": token}
        try:
            answer = httpx.post(f"https://{server}/oauth2/exchange", data=form, timeout=REQUEST_SECONDS)
            refresh = answer.raise_for_status().json()["refresh_token"]
            subprocess.run(  # noqa: S603 - the command is Docker's own
                [docker, "login", server, "--username", USER, "--password-stdin"],
                input=refresh,
                check=True,
                capture_output=True,
                text=True,
                timeout=LOGIN_SECONDS,
            )
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise BuildFailedError(f"Sign-in to the registry {server} failed: {error}.") from error
        except subprocess.SubprocessError as error:
            raise BuildFailedError(f"Docker cannot sign in to {server}: {error}.") from error

    def _show(self, line: str, log: list[str]) -> bool:
        log.append(line)
        self.context.report(f"docker: {line}")
        return True
