"""Where an image is built on Azure: in the container registry by ACR Tasks, or with `docker buildx` on this machine.

In the registry the machine that runs `up` needs no Docker. Trial subscriptions can't use ACR Tasks, which
`RegistryBuild.run` finds before anything is built, and a private registry can't be reached by them. Docker pushes with
the deployer's token.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from azure_clients import credentials
from azure_clients.credentials import MANAGER_SCOPE, credential
from azure_clients.resources import ContainerRegistry
from azure_clients.retries import Context, StepCancelledError, or_none, pause, retried
from features.errors import PersonalizationError
from steps.child import clean_environment, run_child
from steps.image_content import DOCKERFILE, BuildContext

if TYPE_CHECKING:
    from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
    from azure.mgmt.containerregistrytasks.models import Run


REPOSITORY = "scoring"
PRIVATE = "ACR Tasks can't access a private registry"
SUPPORT = "or ask Azure's support to allow ACR Tasks (https://aka.ms/azuresupport, which can take days)"
SUCCEEDED = "Succeeded"
OVER = {SUCCEEDED, "Failed", "Canceled", "Error", "Timeout"}
NOT_ALLOWED = "TasksOperationsNotAllowed"
TIMEOUT_SECONDS = 3600
REQUEST_SECONDS = 120.0
LOG_LINES = 20
Answer = TypeVar("Answer")
USER = "00000000-0000-0000-0000-000000000000"
"""The user name for sign-in with a token."""
EXCHANGE_SECONDS = 30.0
LOGIN_SECONDS = 60.0


class BuildFailedError(PersonalizationError):
    """The build of an image failed."""


class TasksNotAllowedError(PersonalizationError):
    """The subscription can't use ACR Tasks."""


def build(registry: ContainerRegistry, content: BuildContext, context: Context, *, private: bool) -> str:
    """Build and push `content`; returns the image's digest, `sha256:` and 64 digits.

    Raises `BuildFailedError` or `AzureRefusedError`, and `StepCancelledError` after Ctrl-C.
    """
    why, otherwise = PRIVATE, ""
    if not private:
        try:
            return RegistryBuild(registry, context).run(content)
        except TasksNotAllowedError as error:
            why, otherwise = f"ACR Tasks refuses this subscription ({error})", SUPPORT
    context.report(f"{why}: building with docker")
    return _by_docker(registry, content, context, why=why, otherwise=otherwise)


@dataclass(frozen=True, kw_only=True)
class Known:
    """An image in the registry, and when its tag was last pushed."""

    digest: str
    built: datetime

    @property
    def age(self) -> timedelta:
        """The time since then."""
        return datetime.now(UTC) - self.built


@dataclass(frozen=True)
class RegistryBuild:
    """Builds in one container registry."""

    registry: ContainerRegistry
    context: Context

    def run(self, content: BuildContext) -> str:
        """Build `content` and return the image's digest, `sha256:` and 64 digits.

        Raises `BuildFailedError` with the end of the build's log, `TasksNotAllowedError`; Ctrl-C cancels the build
        and raises `StepCancelledError`.
        """
        self.context.report("uploading the build context")
        number = self._schedule(self._send(content), content.target, f"{REPOSITORY}:{content.tag}")
        try:
            run = self._follow(number)
        except StepCancelledError:
            self._tasks.runs.cancel(*self._place, number)
            raise
        properties = run.properties
        images = properties.output_images if properties else None
        if _status(run) != SUCCEEDED or not images or not images[0].digest:
            raise BuildFailedError(
                f"Build {number} of the image ended as {_status(run)}. The end of its log:\n{self._log(number)}"
            )
        return images[0].digest

    def find(self, content: BuildContext) -> "Known | None":
        """The image of exactly this content, which is part of its tag; None if there is none."""
        images = credentials.registry_images(self.registry.tenant, self.registry.login_server)
        look = partial(images.get_tag_properties, REPOSITORY, content.tag)
        tag = self._ask("look for the image", lambda: or_none(look))
        return None if tag is None else Known(digest=str(tag.digest), built=tag.last_updated_on)

    @property
    def _tasks(self) -> "ContainerRegistryTasksMgmtClient":
        return credentials.registry_tasks(self.registry.tenant, self.registry.subscription)

    @property
    def _place(self) -> tuple[str, str]:
        return self.registry.resource_group, self.registry.registry_name

    def _send(self, content: BuildContext) -> str:
        """Upload the packed context; returns its path for the registry."""
        import httpx  # noqa: PLC0415 - it takes a third of a second

        place = self._ask(
            "get an upload address",
            lambda: self._tasks.registries.get_build_source_upload_url(*self._place),
        )
        with TemporaryDirectory(prefix="image-") as folder:
            archive = Path(folder) / "context.tar.gz"
            content.pack(archive)
            try:
                httpx.put(
                    str(place.upload_url),
                    content=archive.read_bytes(),
                    headers={"x-ms-blob-type": "BlockBlob"},
                    timeout=REQUEST_SECONDS,
                ).raise_for_status()
            except httpx.HTTPError as error:
                raise BuildFailedError(f"The upload of the build context failed: {error}. Run `up` again.") from error
        return str(place.relative_path)

    def _schedule(self, source: str, target: str, image: str) -> str:
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - an extra
        from azure.mgmt.containerregistrytasks.models import (  # noqa: PLC0415 - only a build needs them
            DockerBuildRequest,
            PlatformProperties,
        )

        request = DockerBuildRequest(
            docker_file_path=DOCKERFILE,
            target=target,
            image_names=[image],
            is_push_enabled=True,
            source_location=source,
            platform=PlatformProperties(os="Linux", architecture="amd64"),
            timeout=TIMEOUT_SECONDS,
        )

        def schedule() -> "Run":
            try:
                return self._tasks.registries.schedule_run(*self._place, request)
            except HttpResponseError as error:
                if error.error is not None and error.error.code == NOT_ALLOWED:
                    raise TasksNotAllowedError(str(error.error.message)) from error
                raise

        run = self._ask("start the build", schedule)
        return str(run.properties.run_id if run.properties else run.name)

    def _follow(self, number: str) -> "Run":
        while True:
            run = self._ask("look at the build", lambda: self._tasks.runs.get(*self._place, number))
            if _status(run) in OVER:
                return run
            last = self._log(number).rpartition("\n")[2]
            self.context.report(f"build {number} {_status(run).lower()}: {last}")
            pause(self.context)

    def _log(self, number: str) -> str:
        """The end of the log so far, or why it can't be read."""
        import httpx  # noqa: PLC0415 - it takes a third of a second

        link = self._ask("find the build's log", lambda: self._tasks.runs.get_log_sas_url(*self._place, number))
        try:
            answer = httpx.get(str(link.log_link), timeout=REQUEST_SECONDS).raise_for_status()
        except httpx.HTTPError as error:
            return f"(its log can't be read: {error})"
        return "\n".join(answer.text.strip().splitlines()[-LOG_LINES:])

    def _ask(self, what: str, call: Callable[[], Answer]) -> Answer:
        return retried(what, call, self.context)


def _status(run: "Run") -> str:
    status = run.properties.status if run.properties else None
    return str(getattr(status, "value", status))


def _by_docker(
    registry: ContainerRegistry, content: BuildContext, context: Context, *, why: str, otherwise: str
) -> str:
    """Build and push `content` on this machine; returns the image's digest. Raises `BuildFailedError`.

    `why` says why not in the registry, `otherwise` what could be done instead of installing Docker, if anything.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise BuildFailedError(
            f"{why}, and there is no `docker` on PATH: install Docker with buildx on this machine"
            f"{', ' if otherwise else ''}{otherwise}, then run `up` again."
        )
    _sign_in(docker, registry)
    log: list[str] = []

    def show(line: str) -> bool:
        log.append(line)
        context.report(f"docker: {line}")
        return True

    with TemporaryDirectory(prefix="image-") as place:
        facts = Path(place) / "metadata.json"
        command = [
            *(docker, "buildx", "build", "--platform", "linux/amd64", "--push", "--progress", "plain"),
            *("--target", content.target, "--tag", f"{registry.login_server}/{REPOSITORY}:{content.tag}"),
            *("--metadata-file", str(facts), str(content.folder)),
        ]
        finished = run_child(
            command, folder=Path(place), environment=clean_environment(), on_line=show, context=context
        )
        if finished.code != 0:
            end = "\n".join(log[-LOG_LINES:])
            raise BuildFailedError(f"`docker buildx` ended with code {finished.code}. The end of its log:\n{end}")
        return str(json.loads(facts.read_text())["containerimage.digest"])


def _sign_in(docker: str, registry: ContainerRegistry) -> None:
    """Exchange the deployer's token for a token of the registry, and sign Docker in with it."""
    import httpx  # noqa: PLC0415 - it takes a third of a second

    server = registry.login_server
    token = credential(registry.tenant).get_token(MANAGER_SCOPE).token
    form = {"grant_type": "access_token", "service": server, "access_token": token}
    try:
        answer = httpx.post(f"https://{server}/oauth2/exchange", data=form, timeout=EXCHANGE_SECONDS)
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
