"""`try`: whether recommendations from your own tables would be worth it, without a stack."""

import shlex
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import Annotated

import msgspec
import typer

from features.bundle import REPORT
from features.files import write_whole
from personalize.commands.figures import metrics_table, recommender_table, shown_path
from personalize.commands.init_data import NAME, drafted, made, stack_of
from personalize.terminal import Json, print_json, results, say, tell
from recommend.judgement import Judgement, Outcome
from recommend.recommender import METRIC
from recommend.stored import FOLDER as SNAPSHOTS
from tools.paths import ROOT
from training.config import TablesSpec
from training.datasets import describe
from training.datasets.manifest import Manifest
from training.errors import GuessError
from training.failure import OutOfMemoryError, RunFailedError
from training.init_data.converted import converted
from training.init_data.draft import DRAFT, LEFT_OUT
from training.init_data.guess import guess
from training.local.pool import UNNEEDED
from training.model.unneeded import without
from training.parameters import EngineName, TablesDataset, TrainingParameters
from training.progress import Format
from training.report.sentences import found_by_customers
from training.request import TrainingRequest
from training.result import Result
from training.tables.files import files_of, load_spec
from training.tables.texts import chunks

TRIES = ROOT / "tries"
"""The folder with a folder for each tried one, which is never written to itself."""
STACK, RUN, FOUND = "stack.yaml", "run", "found.json"
MOST_ROWS = 500_000
"""The most interactions that are read without `--all`, give or take a customer's."""
LISTS = 3
WHY = {
    Outcome.BETTER: ", since the whole interval is above 0.",
    Outcome.NOT_SHOWN: ", since the interval does not lie above 0.",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, by what it depends on; `read` says which rows if these are not all."""

    inputs: str
    read: str
    result: Result

    @property
    def judgement(self) -> Judgement | None:
        """That on the recommender, if there are users and items."""
        metrics = self.result.metrics
        return msgspec.convert(metrics[METRIC], Judgement) if METRIC in metrics else None

    @property
    def outcome(self) -> Outcome:
        """That of the recommender, or without users and items of the click model."""
        if judgement := self.judgement:
            return judgement.outcome if self.result.counted else Outcome.NOT_JUDGED
        return Outcome.BETTER if self.result.verdict.accepted else Outcome.WORSE


@without(*UNNEEDED)
def try_(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the tables are. It is only read.")],
    *,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Read all rows, also if there are more than {MOST_ROWS:,}.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Find out whether recommendations from your own tables would be better than bestsellers, without a stack.

    It takes the dataset config in FOLDER, or drafts one in the project's folder `tries`, which you may correct before
    you run this again. It trains on this machine, and says how many customers find something that they chose later,
    with the interval of the difference to bestsellers and to their own reorder list, and what it would recommend to
    made-up customers. Nothing is served. Of large tables, it reads a part of the customers.

    Example: .venv/bin/personalize try examples/orders
    """
    folder = folder.expanduser()
    place = TRIES / _name(folder.resolve())
    config = _config(folder, place)
    dataset = TablesDataset(kind="tables", spec=config)
    manifest = describe(dataset)
    training = TrainingParameters(engine=EngineName.LOCAL)
    request = TrainingRequest(dataset=dataset, training=training, output=place / RUN, progress=Format.BRIEF)
    found = _found(place / RUN, request, manifest, load_spec(config), everything=everything)
    write_whole(place / STACK, stack_of(config))
    doubts, report = [*filter(None, [manifest.dropped]), *_doubts(config)], place / RUN / "bundle" / REPORT
    commands = [] if find_spec("pulumi") else ["make setup"]
    commands += [f".venv/bin/personalize up --config-file {shlex.quote(str(shown_path(place / STACK)))}"]
    said = [*filter(None, [found.read]), *_sentences(found)]
    if as_json:
        shown = {"dataset_config": config, "said": said, "verdict": found.outcome, "doubts": doubts, "report": report}
        print_json(shown | {"commands": commands, "result": msgspec.to_builtins(found.result)})
    else:
        _show(found, said)
        if doubts:
            tell("\nDoubts, and what is left out:")
            _wrapped(doubts, "  ")
            tell(f"  {shown_path(config)} has more: correct it, and run this again.")
        tell(f"\nReport: {shown_path(report)} (--open opens it)")
        tell("To serve this:\n" + "\n".join(f"  {command}" for command in commands))
    if show:
        typer.launch(report.as_uri())


def _name(folder: Path) -> str:
    """The path of a folder, from the project if it is in it, as the name of one folder."""
    named = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    return str(named).strip("/").replace("-", "--").replace("/", "-") or "root"


def _config(folder: Path, place: Path) -> Path:
    """The dataset config of a folder: its own, the draft of an earlier run, or a new one."""
    own, draft = (folder / NAME).absolute(), place / NAME
    if own.is_file():
        say(f"Using {own}.")
        return own
    if draft.is_file():
        converted(folder, place)
        say(f"Using the draft {shown_path(draft)}. Delete it to have a new one.")
        return draft
    say(f"Looking at the tables in {folder}.")
    new = made(place)
    try:
        drafted(draft, guess(folder, {}, into=place), trial=True)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        if not isinstance(error, GuessError) or "--" not in str(error):
            raise
        command = (
            f".venv/bin/personalize init-data {shlex.quote(str(folder))} --output {shlex.quote(str(shown_path(draft)))}"
        )
        raise GuessError(f"{error} These are options of `{command}`. Run that, and then `try` again.") from error
    return draft


def _found(run: Path, request: TrainingRequest, manifest: Manifest, spec: TablesSpec, *, everything: bool) -> Found:
    """What the last run found if nothing has changed since, else what a new one finds."""
    from training.run import run_hash, train  # noqa: PLC0415 - takes a second, and wrong tables are reported before

    rows = _rows(spec)
    share = 1.0 if everything or spec.users is None else min(1.0, MOST_ROWS / max(rows, 1))
    inputs = f"{run_hash(request, manifest)} {share}"
    try:
        last = msgspec.json.decode((run / FOUND).read_bytes(), type=Found)
        if last.inputs == inputs and Path(last.result.report).is_file():
            say("Nothing has changed since the last run, so this is what it found.")
            return last
    except (OSError, msgspec.DecodeError):
        pass  # there is none, or another release wrote it
    shutil.rmtree(run, ignore_errors=True)
    new = made(run)
    try:
        result = train(request, manifest, share=share)
    except (RunFailedError, OutOfMemoryError):
        raise  # and name the log in the folder
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(run / SNAPSHOTS, ignore_errors=True)  # histories, which nobody looks up
    found = Found(inputs=inputs, read=_read(rows, share, result), result=result)
    write_whole(run / FOUND, msgspec.json.encode(found).decode())
    return found


def _rows(spec: TablesSpec) -> int:
    """How many interactions there are: lines of text, or rows."""
    rows = 0
    for file in files_of(spec.interactions):
        for chunk in chunks(file, [spec.users.foreign_key] if spec.users else []):
            found = chunk.rows
            if isinstance(found, bytes):
                rows += found.count(b"\n") + (not found.endswith(b"\n"))
            else:
                rows += found.num_rows
    return rows


def _read(rows: int, share: float, result: Result) -> str:
    """Which rows were read, in a sentence; "" if these are all."""
    if share == 1:
        return ""
    read = result.counted.get("Interactions read", sum(result.rows.values()))
    users = f"{result.counted['Users']:,}" if "Users" in result.counted else f"{share:.1%} of all"
    return (
        f"Of {rows:,} rows, these are the {read:,} of {users} customers, taken by a hash of their key; `--all` reads "
        "everything."
    )


def _sentences(found: Found) -> Iterator[str]:
    """What a person wants to know first."""
    judgement, verdict = found.judgement, found.result.verdict
    if judgement is not None:
        yield from found_by_customers(judgement)
        yield f"Verdict: {found.outcome}{WHY.get(found.outcome) or f'. {judgement.reason}'}"
    if "auc" in found.result.metrics:
        others = ", and no recommendations with them" if judgement else ""
        passed = "may be served" if verdict.accepted else f"would not be served{others}"
        yield f"Verdict on click probabilities: they {passed}. {verdict.reasons[0]}"


def _show(found: Found, said: Sequence[str]) -> None:
    """Print what was found for a person, with tables and lists."""
    _wrapped(said)
    if "auc" in found.result.metrics:
        results.print()
        results.print(metrics_table(found.result.metrics))
    if found.judgement and found.judgement.figures:
        results.print()
        results.print(recommender_table(found.result.metrics[METRIC]))
    for example in found.result.examples[:LISTS]:
        tell(f"\nTo somebody who chose {' and '.join(example.history)}:")
        _wrapped((f"{title}: {reason}" for title, reason in example.items), "  ")


def _wrapped(lines: Iterable[str], indent: str = "") -> None:
    for line in lines:
        tell(fill(line, results.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))


def _doubts(config: Path) -> list[str]:
    """The comments of a draft, which are about what it may have wrong and what it leaves out."""
    first, *lines = config.read_text(encoding="utf-8").splitlines()
    if not first.startswith(DRAFT):
        return []
    return [line.strip("# ") for line in lines[1:] if line.startswith("#") and line != LEFT_OUT]
