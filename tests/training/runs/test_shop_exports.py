"""What `init-data` drafts of a shop's exports goes through `up` unedited: the copy of the data, and a training run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from personalize.commands.app import app
from recommend import histories
from recommend.stored import FOLDER as SNAPSHOTS
from tests.support import shop_exports
from tests.support.training_runs import train
from tools.paths import ROOT
from training.datasets import materialize
from training.parameters import TablesDataset


def example(folder: Path) -> None:
    for name in ("orders.csv", "products.csv"):
        shutil.copy(ROOT / "examples/orders" / name, folder)


@pytest.mark.parametrize(
    ("export", "user"),
    [
        (example, "anna@example.com"),
        (shop_exports.click_stream, "v7"),
        (shop_exports.german, "K0007"),
        (shop_exports.shopify, "c7@example.com"),
        (shop_exports.parquet, "7"),
    ],
)
def test_a_draft_is_trained_on_unedited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Callable[[Path], None], user: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shop"
    folder.mkdir()
    export(folder)
    drafted = CliRunner().invoke(app, ["init-data", "shop", "--json"])
    assert drafted.exit_code == 0, drafted.output
    settings = yaml.safe_load(Path(json.loads(drafted.stdout)["stack_file"]).read_text())["config"]
    dataset = TablesDataset.model_validate(settings["personalization:dataset"])
    materialize(dataset, tmp_path / "copy")
    run = train(tmp_path / "run", "--dataset", "tables", "--spec", str(tmp_path / "copy/dataset.yaml"))
    assert run.result.verdict.accepted, run.result.verdict.reasons
    assert histories.has(run.output / SNAPSHOTS / histories.FILE, user)


def test_the_files_of_intelligent_recommendations_are_trained_on_with_the_config_of_the_how_to(tmp_path: Path) -> None:
    """Its data contract: no header, a row for each variant, and an empty user for anonymous interactions."""
    page = (ROOT / "docs/how-to/from-microsoft.md").read_text(encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    with (tmp_path / "Reco_Interactions.csv").open("w") as rows:
        for order, user, item, at in shop_exports.choices():
            who = f"u{user}" if order % 20 else ""
            rows.write(f"{order},{item},{item}-1,{who},Transaction,{at:%Y-%m-%dT%H:%M:%S}.000Z\n")
    with (tmp_path / "Reco_ItemsAndVariants.csv").open("w") as rows:
        for item in range(shop_exports.ITEMS):
            for variant in ("", f"{item}-1"):
                rows.write(f'{item},{variant},Mug {item},"A mug, number {item}",2020-01-01T00:00:00.000Z\n')
    materialize(TablesDataset(kind="tables", spec=tmp_path / "contract.yaml"), tmp_path / "copy")
    run = train(tmp_path / "run", "--dataset", "tables", "--spec", str(tmp_path / "copy/dataset.yaml"))
    assert run.result.verdict.accepted, run.result.verdict.reasons
    assert histories.has(run.output / SNAPSHOTS / histories.FILE, "u7")
