"""`catalogue load`: other items for the running service, without training."""

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from infra.settings import load_settings
from personalize.clients.model_registry import versions_of
from personalize.errors import StackMissingError
from personalize.stack.stack_files import StackFiles
from personalize.terminal import options
from personalize.terminal.output import print_json, results
from steps.datasets import located
from steps.folders import StackFolder
from steps.snapshots_here import LocalSnapshots
from training.catalogue import load


class Action(StrEnum):
    """What is done to the catalogue."""

    LOAD = "load"


def catalogue(
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="All items: a table with the columns of the dataset's items.")],
    *,
    stack: options.Stack = "local",
    config_file: options.SettingsFile = None,
    as_json: options.Json = False,
) -> None:
    """Replace the catalogue of items, all or nothing, without training.

    Items that the file lacks are withdrawn: they are not recommended any more, also after training or with an older
    model, until a later load has them again. The service follows within a minute.

    .venv/bin/personalize catalogue load items.csv
    """
    del action
    files = StackFiles(stack, config_file)
    settings = load_settings(files.effective())
    change = partial(load, located(settings.dataset), file)
    serving = versions_of(stack, config_file).get_champion()
    if serving is None:
        raise StackMissingError(f"Stack {stack} serves no model yet. `.venv/bin/personalize up` trains the first.")
    if settings.azure is None:
        found = LocalSnapshots(StackFolder(files.folder)).change_catalogue(serving.bundle_hash, change)
    else:
        from personalize.clients.azure_models import snapshots_of  # noqa: PLC0415 - needs Azure's packages

        found = snapshots_of(stack, settings.azure).change_catalogue(serving.bundle_hash, change)
    if as_json:
        print_json(asdict(found))
        return
    counts = {"added": found.added, "changed": found.changed, "withdrawn": found.withdrawn, "as before": found.same}
    results.print(f"{', '.join(f'{count:,} {name}' for name, count in counts.items())}; catalogue {found.version}")
