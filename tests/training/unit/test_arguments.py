import json
import subprocess
import sys
from pathlib import Path

import pytest

from training.arguments import KINDS, UsageError, parse
from training.parameters import (
    FilmsDataset,
    GateParameters,
    Split,
    TablesDataset,
    TrainingParameters,
)
from training.progress import Format
from training.request import TrainingRequest


def test_without_options_the_reference_model_is_trained_on_films() -> None:
    parsed = parse([])
    assert parsed.dataset == FilmsDataset()
    assert parsed.training == TrainingParameters()
    assert parsed.gate == GateParameters()
    assert (parsed.result, parsed.progress, parsed.data, parsed.champion) == (Format.TEXT, Format.TEXT, None, None)


def test_every_parameter_of_training_and_gate_has_an_option() -> None:
    defaults = TrainingParameters().model_dump(mode="json").items()
    options = [part for name, value in defaults for part in (f"--{name.replace('_', '-')}", str(value))]
    options += [part for name in GateParameters.model_fields for part in (f"--gate-{name.replace('_', '-')}", "0.25")]
    parsed = parse(options)
    assert parsed.training == TrainingParameters()
    assert {*parsed.gate.model_dump().values()} == {0.25}


VALUES = {
    "users": "200",
    "films": "100",
    "seed": "7",
    "path": "day_0.gz",
    "days": "3",
    "spec": "dataset.yaml",
}
OPTIONS = {name: f"--{name}" for name in VALUES} | {"seed": "--dataset-seed"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_each_kind_of_dataset_has_an_option(kind: str) -> None:
    names = [name for name in KINDS[kind].model_fields if name != "kind"]
    given = [part for name in names for part in (OPTIONS[name], VALUES[name])]
    dataset = parse(["--dataset", kind, *given]).dataset
    assert dataset.kind == kind
    assert {name: str(getattr(dataset, name)) for name in names} == {name: VALUES[name] for name in names}


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["--num-leaves", "1", "--learning-rate", "fast"])
    assert "--num-leaves 1: " in str(caught.value)
    assert "--learning-rate fast: " in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--dataset", "criteo"], "--path"),
        (["--dataset", "criteo", "--path", "x", "--users", "200"], "--users 200"),
        (["--users", "10"], "--users 10"),
        (["--gate-min-auc", "2"], "--gate-min-auc 2"),
        (["--bogus"], "--bogus"),
        (["--split", "odd"], "--split"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse(arguments)


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    wanted = TrainingRequest(
        dataset=TablesDataset(kind="tables", spec=Path("/tables/dataset.yaml")),
        training=TrainingParameters(num_leaves=7, split=Split.TIME),
        gate=GateParameters(min_auc=0.7),
        data=tmp_path / "data",
        champion=tmp_path / "champion",
        output=tmp_path / "output",
        progress=Format.JSON,
        result=Format.JSON,
    )
    file = tmp_path / "request.json"
    file.write_text(wanted.model_dump_json())
    assert parse(["--request", str(file)]) == wanted


def test_a_request_may_name_what_differs_from_the_defaults_alone(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"training": {"num_leaves": 7}}')
    assert parse(["--request", str(file)]) == parse(["--num-leaves", "7"])


def test_a_wrong_value_of_a_request_is_named(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"training": {"num_leaves": 1}, "rows": 5}')
    with pytest.raises(UsageError, match=r"training\.num_leaves: .*; rows: "):
        parse(["--request", str(file)])


def test_a_request_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.json cannot be read: No such file"):
        parse(["--request", str(tmp_path / "missing.json")])


def test_an_option_beside_a_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="num_leaves was given too"):
        parse(["--request", str(tmp_path / "request.json"), "--num-leaves", "7"])


def test_writing_a_request_needs_no_spark() -> None:
    code = "import json, sys, training.request; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"pyspark", "pandas", "synapse"}.isdisjoint(json.loads(found.stdout))
