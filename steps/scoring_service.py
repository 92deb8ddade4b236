"""Step 7: serves the image on a port of this machine, with processes that outlive this one.

Another image or other settings restart the service: it answers again after a few seconds. On Azure, Kubernetes objects
replace this step.
"""

import json
import shutil
import sys
from typing import assert_never

from azure_clients.retries import Context
from features.files import private_folder, write_private, write_whole
from steps.child import clean_environment, run_child
from steps.folders import StackFolder
from steps.image_content import image_digest
from steps.service_processes import (
    KEYS_OPTION,
    Probe,
    ServiceProcesses,
    ServiceStartError,
    require_port,
    runs,
    wait_until,
)
from steps.serving_settings import DRAIN_SECONDS_HERE, WORKERS_HERE, ScoringEngine, ScoringSettings, limit_options
from steps.step import Created, Difference, Kind, Secret, Stack, State, Step, StepOutputs
from tools.paths import ROOT
from training.runtime import jars, java_home

RUNNING = "running"
STOPPED = "stopped"
READY_SECONDS = 90.0
KEY_SECONDS = 10.0
ANSWER_SECONDS = 15.0
LAST_LINES = 3


class Inputs(Stack):
    """The image to serve, its model version and bundle, and the valid API keys, the current one first."""

    registry: str
    digest: str
    version: int
    bundle_hash: str
    settings: ScoringSettings
    keys: Secret[tuple[str, str]]
    certificate_hash: str | None = None
    """Of the file `settings.tls_certificate`, so that a replaced certificate is served; None without TLS."""


class Outputs(StepOutputs):
    """The URL, the served version, and whether it responds."""

    endpoint: str
    served_version: int
    status: str


class ScoringService(Step[Inputs, Outputs]):
    """Serves an image."""

    kind = Kind.SCORING_SERVICE
    replaced_by = frozenset({"stack"})

    def diff(self, old: State, new: State) -> Difference:
        """The changed inputs; also the `status`, if the service should be running here and isn't."""
        difference = super().diff(old, new)
        running = old.get("status") == RUNNING and ServiceProcesses(self.folder(old["stack"])).running()
        drift = frozenset(() if running else {"status"})
        return Difference(difference.changed | drift, difference.replaces)

    def create(self, inputs: Inputs, context: Context) -> Created[Outputs]:
        """Start the service, or restart it if it must change; raises `PortInUseError` or `ServiceStartError`."""
        folder, settings = self.folder(inputs.stack), inputs.settings
        service = ServiceProcesses(folder)
        require_port(settings, service)
        workers = settings.workers or WORKERS_HERE
        command = _command(folder, inputs, workers)
        wanted = json.dumps([*command, inputs.certificate_hash])
        serves = service.running() and service.served.is_file() and service.served.read_text() == wanted
        if not serves:
            _check_image(folder, inputs, context, served=bool(service.all()))
        _write_keys(folder, inputs.keys)
        probe = Probe(endpoint(settings), inputs.keys[0])
        # Several times, since each answer may come from another worker.
        if not (serves and wait_until(probe.accepts_key, times=4 * workers, seconds=KEY_SECONDS, context=context)):
            _restart(folder, inputs, command, probe, context)
            write_whole(service.served, wanted)
        if settings.tls_certificate is None:
            folder.certificate.unlink(missing_ok=True)
        else:  # clients on this machine trust it until another one is served
            write_whole(folder.certificate, (ROOT / settings.tls_certificate).read_text(encoding="utf-8"))
        outputs = Outputs(endpoint=probe.endpoint, served_version=inputs.version, status=RUNNING)
        return Created(inputs.registry, outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the folder is gone; `status` is stopped if no process responds with the right version."""
        folder = self.folder(state["stack"])
        if not folder.service.is_dir():
            return None
        probe = Probe(state["endpoint"], state["keys"][0])
        # On a busy machine the response may be late, which is no reason to restart the service.
        healthy = ServiceProcesses(folder).running() and wait_until(
            lambda: probe.version() == str(state["served_version"]), times=1, seconds=ANSWER_SECONDS, context=context
        )
        return self.known({**state, "status": RUNNING if healthy else STOPPED})

    def delete(self, identity: str, state: State, context: Context) -> None:
        """End the processes, free the port and remove the service's folder."""
        context.report("stopping the service")
        folder = self.folder(state["stack"])
        service = ServiceProcesses(folder)
        service.end(service.all())
        shutil.rmtree(folder.service, ignore_errors=True)


def endpoint(settings: ScoringSettings) -> str:
    """The service's URL on this machine."""
    scheme = "http" if settings.tls_certificate is None else "https"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return f"{scheme}://{host}:{settings.port}"


def _restart(folder: StackFolder, inputs: Inputs, command: tuple[str, ...], probe: Probe, context: Context) -> None:
    """End what runs and start `command`; raises `ServiceStartError` if it does not become ready, and ends it."""
    service, workers = ServiceProcesses(folder), inputs.settings.workers or WORKERS_HERE
    before = service.all()  # also by what was served until now
    service.served.unlink(missing_ok=True)
    service.end(before)
    context.report(f"starting {workers} processes")
    logged = service.log.stat().st_size if service.log.is_file() else 0
    started = service.start(command, _variables(inputs.settings.engine))
    context.report("waiting until the service reproduces the golden records")
    ready = False
    try:
        decided = wait_until(
            lambda: probe.accepts_key() or not runs(started), times=4 * workers, seconds=READY_SECONDS, context=context
        )
        ready = decided and runs(started)
    finally:
        if not ready:
            service.end(service.all())
    if not ready:
        raise ServiceStartError(
            f"Model version {inputs.version} did not become ready{_last_words(folder, logged)}. Nothing serves now. "
            "Correct the cause and run `.venv/bin/personalize up` again, or go back with `.venv/bin/personalize serve "
            f"VERSION`. The log is {service.log}."
        )


def _last_words(folder: StackFolder, logged: int) -> str:
    """The last errors in the service's log after its first `logged` bytes."""
    log = ServiceProcesses(folder).log
    added = log.read_bytes()[logged:].decode(errors="replace").splitlines() if log.is_file() else []
    lines = [line.strip() for line in added if line.strip() and ('"level":"error"' in line or not line.startswith("{"))]
    return f": {' '.join(lines[-LAST_LINES:])}" if lines else ""


def _command(folder: StackFolder, inputs: Inputs, workers: int) -> tuple[str, ...]:
    settings = inputs.settings
    command = [str(folder.image(inputs.digest) / "entrypoint"), "--workers", str(workers)]
    command += ["--host", settings.host, "--port", str(settings.port)]
    command += [KEYS_OPTION, str(folder.keys), "--engine", settings.engine.value]
    command += ["--snapshots", str(folder.snapshots_of(inputs.bundle_hash))]
    limits = {"--drain-seconds": str(DRAIN_SECONDS_HERE), **limit_options(settings)}
    command += [part for limit in limits.items() for part in limit]
    if settings.tls_certificate is not None and settings.tls_key is not None:
        command += ["--tls-cert", str(ROOT / settings.tls_certificate), "--tls-key", str(ROOT / settings.tls_key)]
    return tuple(command)


def _variables(engine: ScoringEngine) -> dict[str, str]:
    """The environment variables that tell an image and its engine where Python, Java and the jars are."""
    python = {"PERSONALIZE_PYTHON": sys.executable}
    match engine:
        case ScoringEngine.LIGHTGBM:
            return python
        case ScoringEngine.SPARK_SERVING:
            return python | {"JAVA_HOME": str(java_home()), "PERSONALIZATION_JARS": str(jars()[0].parent)}
        case _:
            assert_never(engine)


def _check_image(folder: StackFolder, inputs: Inputs, context: Context, *, served: bool) -> None:
    """Raise `ServiceStartError` for a damaged image, or if it can't score its golden records while one is `served`."""
    image = folder.image(inputs.digest)
    if image_digest(image) != inputs.digest:
        raise ServiceStartError(
            f"The image of model version {inputs.version} in {image} is damaged or gone. `.venv/bin/personalize up "
            f"--refresh --stack {inputs.stack}` makes it again."
        )
    if not served:
        return
    context.report("checking the new image")
    place = folder.service / "check"
    private_folder(place)
    finished = run_child(
        [str(image / "entrypoint"), "--check", "--engine", inputs.settings.engine.value],
        folder=place,
        environment=clean_environment() | _variables(inputs.settings.engine),
        on_line=lambda _: False,
        context=context,
    )
    if finished.code != 0:
        reason = finished.error.splitlines()[-1] if finished.error else f"it ended with code {finished.code}."
        raise ServiceStartError(f"The image of model version {inputs.version} cannot be served: {reason}")


def _write_keys(folder: StackFolder, keys: tuple[str, str]) -> None:
    """Write the keys file, readable only by its owner; the service reads it again when it changes."""
    folder.service.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(f"{key}\n" for key in keys if key)
    if folder.keys.is_file() and folder.keys.read_text() == text:
        return
    write_private(folder.keys, text)
