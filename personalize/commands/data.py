"""`catalogue` and `forget`: other items for the running service, and users that nothing may know any more."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from azure_clients.model_versions import Version
from features.bundle import METADATA, SCHEMA, Metadata
from features.errors import BadInputError
from features.schema import Schema
from features.values import AS_WRITTEN, key_of
from personalize.errors import StackMissingError
from personalize.stack.on_azure import settings_of, snapshots_of, versions_of
from personalize.terminal import Json, Stack, print_json, results, tell
from steps.datasets import located
from training.catalogue import Loaded, load
from training.datasets.configs import config_of


class Action(StrEnum):
    """What is done to the catalogue."""

    LOAD = "load"


def catalogue(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="All items: a table with the columns of the dataset's items.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Withdraw most items without a refusal.")] = False,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Replace the catalogue of items, all or nothing, without training.

    Items that the file lacks are withdrawn: they are not recommended any more, also after training or with an older
    model, until a later load has them again. A file that would withdraw more than half of them needs `--yes`. The
    service follows within a minute.

    .venv/bin/personalize catalogue load items.csv
    """
    del action
    dataset = located(settings_of(stack).dataset)

    made_before: list[Loaded] = []

    def change(*places: Path) -> Loaded:
        made = load(dataset, file, *places)
        stays = made.same + made.changed
        if made.withdrawn > stays and not (yes or made_before):  # the first catalogue is that of what serves
            raise BadInputError(
                f"{file} would withdraw {made.withdrawn:,} of {made.withdrawn + stays:,} items, so nothing was "
                "changed. Check that it has all items, with the keys of the dataset's; or add `--yes`."
            )
        made_before.append(made)
        return made

    serving = versions_of(stack).get_champion()
    if serving is None:
        raise StackMissingError(f"Stack {stack} serves no model yet. `.venv/bin/personalize up` trains the first.")
    found = snapshots_of(stack).change_catalogue(serving.bundle_hash, change)
    if as_json:
        print_json(asdict(found))
        return
    counts = {"added": found.added, "changed": found.changed, "withdrawn": found.withdrawn, "as before": found.same}
    results.print(f"{', '.join(f'{count:,} {name}' for name, count in counts.items())}; catalogue {found.version}")


FORGOTTEN = (
    "{user} is forgotten: within a minute the service answers as for an unknown user, and no training reads their rows."
)
KEPT = (
    "The stored histories of model version {versions} may still have them, until two newer versions have served; "
    "nothing reads them there any more."
)
SHOWN = 40
"""The most characters of a segment's value in a bundle."""
NAMED = (
    "Report and metadata.json of model version {naming}, which an earlier release trained, have figures of this user's "
    "rows, as the service's image and the history of the stack's state do; `destroy` deletes all of them."
)
NO_HISTORIES = "No stored histories have a user of this ID; check it, unless they are new."
REMAINS = "docs/how-to/recommend.md lists what else remains, such as models that were trained before."
KNOWN = "The service knows {user} again within a minute, from the histories of model version {serving}, which serves."
NEXT_TRAINING = (
    "{user} comes back with the next training, which reads their rows again. Only changed data, settings or code cause "
    "one."
)
NEWER = (
    "`.venv/bin/personalize serve {newest} --stack {stack}` brings them back sooner: the histories of that version may "
    "still have them."
)


def forget(
    user: Annotated[str, typer.Argument(help="The ID of the user.", show_default=False)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user be known and their rows be read again.")] = False,
    stack: Stack = "local",
    as_json: Json = False,
) -> None:
    """Forget a user: the service knows them no longer, and no training reads their rows, until you undo it.

    The service answers as for an unknown user within a minute.

    .venv/bin/personalize forget u017
    """
    if not user.strip():
        raise BadInputError("Give the ID of a user, which is not empty.")
    users, named = snapshots_of(stack), config_of(located(settings_of(stack).dataset)).users
    versions: Sequence[Version] = []
    with suppress(StackMissingError):  # before the first
        registry = versions_of(stack)
        versions = registry.list()
    champion = next((version for version in versions if version.champion), None)
    rule = AS_WRITTEN if named is None else named.keys.rule
    for schema in registry.read([champion], SCHEMA) if champion else ():
        rule = rule if schema is None else Schema.from_json(schema).keys.get("users", AS_WRITTEN)  # as the service
    if not undo:
        users.forget(user, rule)
    elif not users.remember(user):
        raise BadInputError(f"The user {user} was not forgotten.")
    having = users.having(rule.of(user))
    numbers = [version.number for version in versions if version.bundle_hash in having]
    serving = 0 if champion is None else champion.number
    contents = registry.read(versions, METADATA) if versions and named else []
    segments = [_segments(content, named.foreign_key) if content and named else () for content in contents]
    naming = [one.number for one, values in zip(versions, segments, strict=False) if key_of(user)[:SHOWN] in values]
    if as_json:
        at_once = {"at_once": serving in numbers} if undo else {}
        print_json({"user": user, "forgotten": not undo, "versions": numbers, "named_by": naming} | at_once)
        return
    if not undo:
        told = [FORGOTTEN, KEPT if numbers else NO_HISTORIES, *([NAMED] if naming else []), REMAINS]
    elif serving in numbers:
        told = [KNOWN]
    else:  # after a rollback, a newer version than the one that serves may have the user
        told = [NEXT_TRAINING, *([NEWER] if max(numbers, default=0) > serving else [])]
    values = {"versions": " and ".join(map(str, numbers)), "newest": max(numbers, default=0), "stack": stack}
    values |= {"naming": " and ".join(map(str, naming))}
    tell(" ".join(told).format(user=user, serving=serving, **values))


def _segments(metadata: bytes, column: str) -> set[str | None]:
    """The values of a column by which a bundle's `metadata.json` has segments, none if the file is damaged."""
    with suppress(msgspec.DecodeError):
        found = msgspec.json.decode(metadata, type=Metadata).metrics.get("slices", [])
        return {one["value"] for one in found if one["column"] == column}
    return set()
