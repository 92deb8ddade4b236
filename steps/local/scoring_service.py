"""Step 7: serves the image on a port of this machine, with processes that outlive this one."""

import shutil
import sys
from typing import assert_never

from features.files import write_private, write_whole
from steps.descriptions.scoring_service import LOCAL, LocalInputs, Outputs
from steps.descriptions.serving_settings import (
    DRAIN_SECONDS_HERE,
    WORKERS_HERE,
    ScoringEngine,
    ScoringSettings,
    limit_options,
)
from steps.local.handover import RolloutFailedError, Target, hand_over
from steps.local.port import require_port
from steps.local.probe import Probe, wait_until
from steps.local.service_processes import KEYS_OPTION, ServiceProcesses
from steps.provider.step import Context, Created, Difference, State
from steps.shared.child import clean_environment, run_child
from steps.shared.folders import StackFolder
from steps.shared.local_step import LocalStep
from tools.paths import ROOT
from training.runtime import jars, java_home

RUNNING = "running"
STOPPED = "stopped"
KEY_SECONDS = 10.0
ANSWER_SECONDS = 15.0


class ScoringService(LocalStep[LocalInputs, Outputs]):
    """Serves an image."""

    description = LOCAL

    def diff(self, old: State, new: State) -> Difference:
        """The changed inputs; also the `status`, if the service should be running here and isn't."""
        difference = super().diff(old, new)
        service = ServiceProcesses(self.folder(old["stack"]))
        runs = old.get("status") == RUNNING and service.state() is not None and not service.moved()
        drift = frozenset(() if runs else {"status"})
        return Difference(difference.changed | drift, difference.replaces)

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Start the service, or roll out the image; raises `PortInUseError` or `RolloutFailedError`."""
        folder = self.folder(inputs.stack)
        service = ServiceProcesses(folder)
        settings = inputs.settings
        require_port(settings, service)
        if service.state() is not None:
            _check_image(folder, inputs, context)
        _write_keys(folder, inputs.keys)
        probe = Probe(endpoint(settings), inputs.keys[0])
        workers = settings.workers or WORKERS_HERE
        target = Target(
            command=_command(folder, inputs, workers),
            certificate_hash=inputs.certificate_hash,
            variables=_variables(settings.engine) | {"PROMETHEUS_MULTIPROC_DIR": str(folder.service / "metrics")},
            settings=settings,
            version=inputs.version,
            workers=workers,
            probe=probe,
        )
        hand_over(folder, target, context)
        _keep_certificate(folder, settings)
        if not wait_until(probe.accepts_key, times=4 * workers, seconds=KEY_SECONDS, context=context):
            raise RolloutFailedError(f"The service does not accept its new key; its logs are in {folder.service}.")
        outputs = Outputs(endpoint=probe.endpoint, served_version=inputs.version, status=RUNNING)
        return Created(inputs.registry, outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """None if the folder is gone; `status` is stopped if no process responds with the right version."""
        del identity
        folder = self.folder(state["stack"])
        if not folder.service.is_dir():
            return None
        probe = Probe(state["endpoint"], state["keys"][0])
        # On a busy machine the response may be late, which is no reason to restart the service.
        healthy = ServiceProcesses(folder).state() is not None and wait_until(
            lambda: probe.version() == str(state["served_version"]), times=1, seconds=ANSWER_SECONDS, context=context
        )
        return self.known({**state, "status": RUNNING if healthy else STOPPED})

    def delete(self, identity: str, state: State, context: Context) -> None:
        """End the processes, free the port and remove the service's folder."""
        del identity
        context.report("stopping the service")
        folder = self.folder(state["stack"])
        service = ServiceProcesses(folder)
        service.end(service.all())
        service.forget()
        shutil.rmtree(folder.service, ignore_errors=True)


def endpoint(settings: ScoringSettings) -> str:
    """The service's URL on this machine."""
    scheme = "http" if settings.tls_certificate is None else "https"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return f"{scheme}://{host}:{settings.port}"


def _command(folder: StackFolder, inputs: LocalInputs, workers: int) -> tuple[str, ...]:
    settings = inputs.settings
    command = [str(folder.image(inputs.digest) / "entrypoint"), "--workers", str(workers)]
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


def _check_image(folder: StackFolder, inputs: LocalInputs, context: Context) -> None:
    """Let the image score its golden records before it replaces the current one; raises `RolloutFailedError`."""
    context.report("checking the new image")
    place = folder.service / "check"
    place.mkdir(exist_ok=True)
    finished = run_child(
        [str(folder.image(inputs.digest) / "entrypoint"), "--check", "--engine", inputs.settings.engine.value],
        folder=place,
        environment=clean_environment() | _variables(inputs.settings.engine),
        on_line=lambda _: False,
        context=context,
    )
    if finished.code != 0:
        reason = finished.error.splitlines()[-1] if finished.error else f"it ended with code {finished.code}."
        raise RolloutFailedError(f"The image of model version {inputs.version} cannot be served: {reason}")


def _write_keys(folder: StackFolder, keys: tuple[str, str]) -> None:
    """Write the keys file, readable only by its owner; the service reads it again when it changes."""
    folder.service.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(f"{key}\n" for key in keys if key)
    if folder.keys.is_file() and folder.keys.read_text() == text:
        return
    write_private(folder.keys, text)


def _keep_certificate(folder: StackFolder, settings: ScoringSettings) -> None:
    """Copy the certificate that is served now, which clients on this machine trust until another one is served."""
    if settings.tls_certificate is None:
        folder.certificate.unlink(missing_ok=True)
    else:
        write_whole(folder.certificate, (ROOT / settings.tls_certificate).read_text(encoding="utf-8"))
