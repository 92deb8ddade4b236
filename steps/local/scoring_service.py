"""Step 7: the image served by supervised processes on a port of this machine."""

import shutil
import sys
from typing import assert_never

from features.files import write_private
from steps.descriptions.scoring_service import LOCAL, LocalInputs, Outputs
from steps.descriptions.serving_settings import WORKERS_HERE, ScoringEngine, ScoringSettings
from steps.local.port import require_port
from steps.local.probe import Probe, wait_until
from steps.local.registry import LocalRegistry
from steps.local.rollout import Rollout, RolloutFailedError, Target
from steps.local.supervision import Supervisor
from steps.provider.step import Context, Created, Difference, State
from steps.shared.child import clean_environment, run_child
from steps.shared.folders import StackFolder
from steps.shared.local_step import LocalStep
from tools.paths import ROOT
from training.runtime import jars, java_home

RUNNING = "running"
STOPPED = "stopped"
DRAIN_SECONDS = 10
KEY_SECONDS = 10.0
ANSWER_SECONDS = 15.0


class ScoringService(LocalStep[LocalInputs, Outputs]):
    """Serves an image; once it answers, its version is the champion."""

    description = LOCAL

    def diff(self, old: State, new: State) -> Difference:
        """A service that a refresh found stopped differs from a wanted one although its inputs do not."""
        difference = super().diff(old, new)
        drift = frozenset({"status"} if old.get("status") != RUNNING else ())
        return Difference(difference.changed | drift, difference.replaces)

    def create(self, inputs: LocalInputs, context: Context) -> Created[Outputs]:
        """Start the service or roll the image out; raises `PortInUseError` or `RolloutFailedError`."""
        folder = self.folder(inputs.stack)
        supervisor = Supervisor(folder.service)
        settings = inputs.settings
        require_port(settings, supervisor)
        if supervisor.runs():
            _check_image(folder, inputs, context)
        _write_keys(folder, inputs.keys)
        probe = Probe(endpoint(settings), inputs.keys[0])
        workers = settings.workers or WORKERS_HERE
        target = Target(
            digest=inputs.digest,
            version=inputs.version,
            configuration=_configuration(folder, supervisor, settings, workers),
            workers=workers,
            probe=probe,
        )
        Rollout(folder, supervisor, context).to(target)
        if not wait_until(probe.accepts_key, times=4 * workers, seconds=KEY_SECONDS, context=context):
            raise RolloutFailedError(f"The service does not accept its new key; its logs are in {folder.service}.")
        LocalRegistry(folder.registry).set_champion(inputs.version)
        outputs = Outputs(endpoint=probe.endpoint, served_version=inputs.version, status=RUNNING)
        return Created(inputs.registry, outputs)

    def read(self, identity: str, state: State, context: Context) -> Outputs | None:
        """Gone with its folder; stopped when no process answers with the right version."""
        del identity
        folder = self.folder(state["stack"])
        if not folder.service.is_dir():
            return None
        supervisor = Supervisor(folder.service)
        probe = Probe(state["endpoint"], state["keys"][0])
        # A busy machine may answer late, which is no reason to start everything again.
        healthy = supervisor.runs() and wait_until(
            lambda: probe.version() == str(state["served_version"]), times=1, seconds=ANSWER_SECONDS, context=context
        )
        return self.known({**state, "status": RUNNING if healthy else STOPPED})

    def delete(self, identity: str, state: State, context: Context) -> None:
        """End the processes, free the port and remove the service's folder."""
        del identity
        context.report("stopping the service")
        folder = self.folder(state["stack"]).service
        supervisor = Supervisor(folder)
        supervisor.stop()
        supervisor.forget()
        shutil.rmtree(folder, ignore_errors=True)


def endpoint(settings: ScoringSettings) -> str:
    """The URL under which this machine reaches the service."""
    scheme = "http" if settings.tls_certificate is None else "https"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host  # noqa: S104 - compared, not bound
    return f"{scheme}://{host}:{settings.port}"


def _configuration(folder: StackFolder, supervisor: Supervisor, settings: ScoringSettings, workers: int) -> str:
    command = [str(folder.service / "current" / "entrypoint"), "--fd", "0"]
    command += ["--keys-file", str(folder.keys), "--engine", settings.engine.value]
    command += ["--max-records", str(settings.max_records), "--drain-seconds", str(DRAIN_SECONDS)]
    if settings.tls_certificate is not None and settings.tls_key is not None:
        command += ["--tls-cert", str(ROOT / settings.tls_certificate), "--tls-key", str(ROOT / settings.tls_key)]
    variables = {
        "PERSONALIZE_PYTHON": sys.executable,
        "PROMETHEUS_MULTIPROC_DIR": str(folder.service / "metrics"),
        **_engine_variables(settings.engine),
    }
    return supervisor.configure(
        host=settings.host, port=settings.port, workers=workers, command=command, variables=variables
    )


def _engine_variables(engine: ScoringEngine) -> dict[str, str]:
    """What an engine needs of this machine."""
    match engine:
        case ScoringEngine.LIGHTGBM:
            return {}
        case ScoringEngine.SPARK_SERVING:
            return {"JAVA_HOME": str(java_home()), "PERSONALIZATION_JARS": str(jars()[0].parent)}
        case _:
            assert_never(engine)


def _check_image(folder: StackFolder, inputs: LocalInputs, context: Context) -> None:
    """Let the image score its golden records before it takes over from the one that serves."""
    context.report("checking the new image")
    place = folder.service / "check"
    place.mkdir(exist_ok=True)
    finished = run_child(
        [str(folder.image(inputs.digest) / "entrypoint"), "--check", "--engine", inputs.settings.engine.value],
        folder=place,
        environment=clean_environment()
        | {"PERSONALIZE_PYTHON": sys.executable}
        | _engine_variables(inputs.settings.engine),
        on_line=lambda _: False,
        context=context,
    )
    if finished.code != 0:
        reason = finished.error.splitlines()[-1] if finished.error else f"it ended with code {finished.code}."
        raise RolloutFailedError(f"The image of model version {inputs.version} cannot be served: {reason}")


def _write_keys(folder: StackFolder, keys: tuple[str, str]) -> None:
    """The keys file, readable by its owner alone; the service reads it again when it changes."""
    folder.service.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "".join(f"{key}\n" for key in keys if key)
    if folder.keys.is_file() and folder.keys.read_text() == text:
        return
    write_private(folder.keys, text)
