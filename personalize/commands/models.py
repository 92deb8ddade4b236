"""`models`, `serve`, `import-models` and `report`: what the registry holds, and which version serves."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError
from infra.settings import NAMESPACE
from personalize.clients.model_registry import versions_of
from personalize.commands.lifecycle import show_update
from personalize.commands.session import open_session
from personalize.engine.outcome import OnStep, Outcome
from personalize.errors import AnotherServesError
from personalize.stack.on_azure import azure_of
from personalize.teardown.restore import restore
from personalize.terminal import options
from personalize.terminal.output import print_json, say, tell
from personalize.views.model_table import model_rows, require_version, show_models
from recommend.recommender import METRIC
from steps.folders import StackFolder
from steps.model_versions import Version
from steps.snapshots_here import LocalSnapshots
from tools.paths import state_folder

SERVING_STEPS = ("ModelVersion", "ServingImage", "ApiKey", "ScoringService")
"""What `serve` brings up to date. Data and training stay, even if their settings or their code changed meanwhile."""


def models(
    *, stack: options.Stack = "local", config_file: options.SettingsFile = None, as_json: options.Json = False
) -> None:
    """List the model versions, newest first. The champion is the one that serves."""
    rows = model_rows(stack, config_file)
    if as_json:
        print_json({"models": rows})
    else:
        show_models(rows)


def serve(
    version: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="A number that `models` lists, or `latest`: the newest accepted one."),
    ],
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Serve another version of the model, without training.

    A version that you name by its number stays in service, even if `up` trains a newer one, until `serve latest`. It
    knows the users of its own data, if it is the one that served before; an older or imported one knows none.

    Example: .venv/bin/personalize serve 3
    """
    wanted: str | int = version if version == "latest" else _number(version)
    session = open_session(stack, config_file)
    session.require()
    if isinstance(wanted, int):
        _say_who_is_known(require_version(stack, wanted, config_file), stack, config_file)
    name, before = f"{NAMESPACE}:model_version", session.files.read_overrides()
    others = {key: value for key, value in before.items() if key != name}
    committed = (session.files.committed().get("config") or {}).get(name, "latest")
    session.files.write_overrides(others if committed == wanted else others | {name: wanted})

    def update(on_step: OnStep) -> Outcome:
        try:
            return session.up(on_step, only=SERVING_STEPS)
        except AnotherServesError:  # the newest accepted version, which `latest` asks for
            raise
        except BaseException:
            session.files.write_overrides(before)
            raise

    show_update(update, stack, config_file, as_json=as_json)


def _say_who_is_known(version: Version, stack: str, config_file: Path | None) -> None:
    """Say which users a version will know that is served by its number, if its dataset has users."""
    if METRIC not in version.metrics or version.champion:
        return
    azure = azure_of(stack, config_file)
    if azure is None:
        known = LocalSnapshots(StackFolder(state_folder(stack))).knows_users(version.bundle_hash)
    else:
        from personalize.clients.azure_models import snapshots_of  # noqa: PLC0415 - needs Azure's packages

        known = snapshots_of(stack, azure).knows_users(version.bundle_hash)
    if known:
        say(f"Version {version.number} knows the users of its own data: newer ones are unknown until `serve latest`.")
    else:
        say(f"The users of version {version.number} are not kept: every user is unknown to it until `serve latest`.")


def import_models(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder in which `destroy --keep-data` saved them.")
    ],
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Register models that `destroy --keep-data` saved.

    The stack must be up. Each model gets a new version number; `serve` then serves the one that you choose.
    """
    numbers = restore(folder, versions_of(stack, config_file).register_imported)
    if as_json:
        print_json({"imported": {str(old): version.number for old, version in numbers.items()}})
        return
    for old, version in numbers.items():
        tell(f"saved as version {old}: version {version.number}")
    tell(f"`.venv/bin/personalize serve --stack {stack} NUMBER` serves one of them.")


def report(
    *,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Print the path of the served model's report (HTML)."""
    path = served_report(stack, config_file)
    if as_json:
        print_json({"report": path})
    else:
        tell(str(path))
    if show:
        typer.launch(path.as_uri())


def served_report(stack: str, config_file: Path | None) -> Path:
    """The report in the served model's bundle. Raises `BadInputError` if there is none yet."""
    outputs, _ = open_session(stack, config_file).outputs()
    path = _report(stack, config_file, Path(outputs.get("report", "")))
    if path is None or not path.is_file():
        raise BadInputError("The stack has no report yet: `.venv/bin/personalize up` did not finish. Run it again.")
    return path


def _report(stack: str, config_file: Path | None, path: Path) -> Path | None:
    """The report at `path`. If another machine deployed the stack to Azure, the report is downloaded."""
    if path.is_file() or (settings := azure_of(stack, config_file)) is None:
        return path
    from personalize.clients.azure_models import AzureVersions  # noqa: PLC0415 - needs Azure's packages

    return AzureVersions(stack, settings).report()


def _number(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise BadInputError(
        f"{text!r} is not a model version: give a number that `.venv/bin/personalize models` lists, or `latest`."
    )
