from pathlib import Path

import pytest

from training.arguments import UsageError, parse
from training.parameters import (
    CriteoDataset,
    GateParameters,
    Split,
    SyntheticDataset,
    TablesDataset,
    TrainingParameters,
)
from training.progress import Format


def test_without_options_the_reference_model_is_trained_on_synthetic_rows() -> None:
    parsed = parse([])
    assert parsed.dataset == SyntheticDataset()
    assert parsed.training == TrainingParameters()
    assert parsed.gate == GateParameters()
    assert (parsed.json, parsed.progress, parsed.data, parsed.champion) == (False, Format.TEXT, None, None)


@pytest.mark.parametrize("name", TrainingParameters.model_fields)
def test_every_training_parameter_has_an_option(name: str) -> None:
    default = getattr(TrainingParameters(), name)
    parsed = parse([f"--{name.replace('_', '-')}", str(default)])
    assert getattr(parsed.training, name) == default


@pytest.mark.parametrize("name", GateParameters.model_fields)
def test_every_gate_parameter_has_an_option(name: str) -> None:
    parsed = parse([f"--gate-{name.replace('_', '-')}", "0.015625"])
    assert getattr(parsed.gate, name) == 0.015625


def test_options_reach_their_models() -> None:
    parsed = parse(["--num-leaves", "64", "--split", "time", "--gate-min-auc", "0.7", "--rows", "5000", "--json"])
    assert (parsed.training.num_leaves, parsed.training.split) == (64, Split.TIME)
    assert (parsed.gate.min_auc, parsed.dataset, parsed.json) == (0.7, SyntheticDataset(rows=5000), True)


def test_each_kind_of_dataset_takes_its_own_options() -> None:
    assert parse(["--dataset", "criteo", "--path", "day_0.gz"]).dataset == CriteoDataset(kind="criteo", path="day_0.gz")
    tables = parse(["--dataset", "tables", "--spec", "dataset.yaml"]).dataset
    assert tables == TablesDataset(kind="tables", spec=Path("dataset.yaml"))


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["--num-leaves", "1", "--learning-rate", "fast"])
    assert "--num-leaves 1: " in str(caught.value)
    assert "--learning-rate fast: " in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--dataset", "criteo"], "--path"),
        (["--dataset", "criteo", "--path", "x", "--rows", "5000"], "--rows 5000"),
        (["--rows", "10"], "--rows 10"),
        (["--gate-min-auc", "2"], "--gate-min-auc 2"),
        (["--bogus"], "--bogus"),
        (["--split", "odd"], "--split"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse(arguments)
