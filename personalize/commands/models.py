"""`models`, `serve`, `import-models` and `report`: the registry's versions, which one serves, and saved ones."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from azure_clients.model_versions import INDEX, NoSuchVersionError, Version
from features.bundle import BundleError, checked_hash
from features.errors import BadInputError, reason
from features.files import write_whole, written_aside
from infra.settings import NAMESPACE
from personalize.commands.lifecycle import show_update
from personalize.errors import AnotherServesError, StackMissingError
from personalize.stack.events import OnStep, Outcome
from personalize.stack.on_azure import azure_of, snapshots_of, versions_of
from personalize.stack.session import StackSession
from personalize.terminal import Json, Stack, print_json, results, say, tell
from recommend.recommender import METRIC

SERVING_STEPS = ("ModelVersion", "ServingImage", "ApiKey", "ScoringService")
"""What `serve` brings up to date. Data and training stay, even if their settings or their code changed meanwhile."""


def models(*, stack: Stack = "local", as_json: Json = False) -> None:
    """List the model versions, newest first. The champion is the one that serves."""
    rows = model_rows(stack)
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
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Serve another version of the model, without training.

    A version that you name by its number stays in service, even if `up` trains a newer one, until `serve latest`. It
    knows the users of its own data, if it is the one that served before; an older or imported one knows none.

    Example: .venv/bin/personalize serve 3
    """
    wanted: str | int = version if version == "latest" else _number(version)
    session = StackSession(stack)
    with session.alone():
        session.require()
        if isinstance(wanted, int):
            _say_who_is_known(require_version(stack, wanted), stack)
        session.files.create_folders()
        _serve(session, wanted, as_json=as_json)


def _serve(session: StackSession, wanted: str | int, *, as_json: bool) -> None:
    """Pin the version and update the service. A failed update leaves the choice as it was."""
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

    show_update(update, session.stack, as_json=as_json)


def _say_who_is_known(version: Version, stack: str) -> None:
    """Say which users a version will know that is served by its number, if its dataset has users."""
    if METRIC not in version.metrics or version.champion:
        return
    known = snapshots_of(stack).knows_users(version.bundle_hash)
    if known:
        say(f"Version {version.number} knows the users of its own data: newer ones are unknown until `serve latest`.")
    else:
        say(f"The users of version {version.number} are not kept: every user is unknown to it until `serve latest`.")


def import_models(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder in which `destroy --keep-data` saved them.")
    ],
    *,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Register models that `destroy --keep-data` saved.

    The stack must be up. Each model gets a new version number; `serve` then serves the one that you choose.
    """
    numbers = restore(folder, versions_of(stack).register_imported)
    if as_json:
        print_json({"imported": {str(old): version.number for old, version in numbers.items()}})
        return
    for old, version in numbers.items():
        tell(f"saved as version {old}: version {version.number}")
    tell(f"`.venv/bin/personalize serve --stack {stack} NUMBER` serves one of them.")


def report(
    *,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Print the path of the served model's report (HTML)."""
    outputs, _ = StackSession(stack).outputs()
    path = Path(outputs.get("report", ""))
    if not path.is_file() and (settings := azure_of(stack)) is not None:  # another machine deployed the stack
        from personalize.stack.azure_models import AzureVersions  # noqa: PLC0415 - needs Azure's packages

        path = AzureVersions(stack, settings).report() or path
    if not path.is_file():
        raise BadInputError("The stack has no report yet: `.venv/bin/personalize up` did not finish. Run it again.")
    if as_json:
        print_json({"report": path})
    else:
        tell(str(path))
    if show:
        typer.launch(path.as_uri())


def _number(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise BadInputError(
        f"{text!r} is not a model version: give a number that `.venv/bin/personalize models` lists, or `latest`."
    )


MEASURES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "ndcg": "NDCG@10",
    "recall": "recall@10",
}
"""The metrics of a click model, and those of a model that only recommends."""
SHOWN = ("auc", "log_loss", "ndcg")


def model_rows(stack: str) -> list[dict[str, Any]]:
    """The versions as plain values, newest first. Raises `StackMissingError` if there are none."""
    versions = versions_of(stack).list()
    if not versions:
        raise StackMissingError(f"Stack {stack} has no models yet. `.venv/bin/personalize up` trains the first.")
    return [
        {
            "version": version.number,
            "champion": version.champion,
            "accepted": version.accepted,
            "reasons": list(version.reasons),
            "registered": version.registered.isoformat(timespec="seconds"),
            **{name: version.metrics.get(name) for name in MEASURES},
            "bundle_hash": version.bundle_hash,
            "manifest_hash": version.manifest_hash,
            "dataset_hash": version.dataset_hash,
            "code_hash": version.code_hash,
            "hyperparameters": version.hyperparameters,
        }
        for version in reversed(versions)
    ]


def show_models(rows: list[dict[str, Any]]) -> None:
    """Print the versions with the champion marked, then the gate's reasons for each rejected one.

    Those of another dataset config than the champion's, or without one the newest version's, are marked: their figures
    are of other rows. Newer rows of the same config are not marked.
    """
    own = next((row for row in rows if row["champion"]), rows[0])
    table = Table(box=None, pad_edge=False, header_style="dim")
    measured = [name for name in SHOWN if any(row[name] is not None for row in rows)]
    for title in ("version", *(MEASURES[name] for name in measured)):
        table.add_column(title, justify="right")
    for title in ("registered", "data", "code", ""):
        table.add_column(title)
    for row in rows:
        state = "[green]champion[/]" if row["champion"] else "" if row["accepted"] else "[red]rejected[/]"
        scores = ("" if row[name] is None else f"{row[name]:.4f}" for name in measured)
        is_other = _is_of_another_dataset(row, own)
        hashes = (f"{row['manifest_hash'][:6]}{'*' if is_other else ' '}", row["code_hash"][:7])
        dim = "dim" if is_other else None
        table.add_row(str(row["version"]), *scores, row["registered"].replace("T", " ")[:16], *hashes, state, style=dim)
    results.print(table)
    if any(_is_of_another_dataset(row, own) for row in rows):
        tell(f"* of another dataset than version {own['version']}: don't compare its figures")
    for row in rows:
        if not row["accepted"]:
            tell(f"version {row['version']}: {' '.join(row['reasons'])}")


def _is_of_another_dataset(row: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """What a version of an earlier release was trained on is only known to be the same if its rows are."""
    is_same_config = row["dataset_hash"] == own["dataset_hash"] != ""
    return row["manifest_hash"] != own["manifest_hash"] and not is_same_config


def require_version(stack: str, version: int) -> Version:
    """The version; raises `BadInputError` if the registry has no such one, or if the gate rejected it."""
    try:
        found = versions_of(stack).get(version)
    except NoSuchVersionError as error:
        raise BadInputError(str(error)) from error
    if not found.accepted:
        raise BadInputError(f"The gate rejected model version {version}: {' '.join(found.reasons)} Choose another one.")
    return found


def export(registered: Callable[[], Sequence[Version]], fetch: Callable[[Version, Path], None], folder: Path) -> Path:
    """Save the registered versions in `folder`, also those that an update registers meanwhile, all or nothing.

    `fetch` copies a version's bundle to a path that does not exist yet. If `folder` exists, `<folder>-2` is used, or
    the next one that does not. Returns the folder. Raises what `fetch` raises, or `BundleError` if a bundle differs
    from the registered one.
    """
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    target = next(one for one in chain([folder], others) if not one.exists())
    saved: dict[int, Version] = {}
    with written_aside(target) as aside:
        aside.mkdir(parents=True)
        while new := [version for version in registered() if version.number not in saved]:
            say(f"Saving {len(new)} model version(s) ...")
            for version in new:
                _save(version, fetch, version_folder(aside, version.number))
                saved[version.number] = version
        index = json.dumps([asdict(version) for version in saved.values()], indent=2, default=str)
        write_whole(aside / INDEX, index + "\n")
    return target


def version_folder(folder: Path, number: int) -> Path:
    """The folder of a version's bundle in an export."""
    return folder / f"version-{number}"


def _save(version: Version, fetch: Callable[[Version, Path], None], target: Path) -> None:
    fetch(version, target)
    found = checked_hash(target)
    if found != version.bundle_hash:
        raise BundleError(
            f"The bundle of version {version.number} has the hash {found}, but {version.bundle_hash} is registered. "
            "Nothing was deleted. Check the registry first."
        )


def restore(folder: Path, register: Callable[[Path], Version]) -> dict[int, Version]:
    """Register every saved version, oldest first. Returns the new version by the old number.

    All bundles are compared with the index first: raises `BadInputError` if one is missing or changed. A bundle that
    is registered already keeps its number, so an interrupted call can be repeated.
    """
    kept = _kept(folder)
    for number, bundle_hash in kept.items():
        _require_whole(version_folder(folder, number), bundle_hash)
    return {number: register(version_folder(folder, number)) for number in kept}


def _kept(folder: Path) -> Mapping[int, str]:
    """The bundles' hashes by version number."""
    index = folder / INDEX
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        return {int(entry["number"]): str(entry["bundle_hash"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"{index} cannot be used: {reason(error)}. Name the folder of a `destroy --keep-data`."
        ) from error


def _require_whole(bundle: Path, bundle_hash: str) -> None:
    try:
        found = checked_hash(bundle)
    except BundleError as error:
        raise BadInputError(f"Nothing was imported: {error}") from error
    if found != bundle_hash:
        raise BadInputError(
            f"Nothing was imported: the bundle in {bundle} has the hash {found}, but {bundle_hash} was saved there. "
            "Restore the folder from a copy."
        )
