"""The example in CONTRIBUTING of a kind of feature: it applies, in three files, and is trained on and served."""

import random
from pathlib import Path

from tests.support.contributing import example, files_of, run_in_changed_copy

PACKAGES = ("training", "scoring", "recommend", "features")
FOLLOW = """
import asyncio
from pathlib import Path
from scoring.engines import EngineName
from scoring.model.model import ServedModel
from scoring.responses import ModelName
from training.arguments import parse
from training.datasets import describe
from training.engines.local.engine import LocalEngine
from training.progress import Format, Progress
from training.stages.pipeline import Pipeline

if __name__ == "__main__":
    import sys
    arguments = parse(["--dataset", "tables", "--spec", "dataset.yaml", "--num-iterations", "30"])
    progress = Progress(sys.stderr, style=Format.JSON)
    engine = LocalEngine(data_size=0, processes=1)
    run = Pipeline(engine, arguments, describe(arguments.dataset), output=Path("run"), progress=progress).run()
    name = ModelName(name="clicks", version="1")
    model = ServedModel.load(Path(run.bundle), name=name, engine=EngineName.LIGHTGBM, max_records=10)
    assert asyncio.run(model.check_golden()) > 5
    clicks = model.click_model
    (row,), _ = clicks.types.read_score(b'{"price": 9.99}')
    print(*clicks.schema.encoded_features, *clicks.encoder.encode([row])[0].tolist())
    print(*model.bundle.click_model.reference.columns, *clicks.explain(clicks.encoder.encode([row])).contributions)
    print(round(run.metrics["auc"], 1), 'scope="row">price</th><td>price</td>' in Path(run.report).read_text())
"""
PATCH = example("A kind of feature")


def test_a_kind_of_feature_touches_three_files() -> None:
    assert files_of(PATCH) == 3


def test_it_is_read_trained_on_reported_and_served(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    prices = [chance.randint(1, 50) + (chance.random() < 0.5) * 0.99 for _ in range(1_000)]
    (tmp_path / "items.csv").write_text("item,price\n" + "".join(f"{item},{one}\n" for item, one in enumerate(prices)))
    (tmp_path / "users.csv").write_text("user\nu1\n")
    rows = [f"u1,{item},{int(chance.random() < (0.8 if one % 1 else 0.2))}\n" for item, one in enumerate(prices)]
    (tmp_path / "interactions.csv").write_text("user,item,clicked\n" + "".join(rows))
    (tmp_path / "dataset.yaml").write_text(
        "interactions: interactions.csv\nusers: {path: users.csv, key: user}\nitems: {path: items.csv, key: item}\n"
        "label: {column: clicked}\nprices: [price]\n"
    )
    inputs, columns, found = run_in_changed_copy(PATCH, FOLLOW, tmp_path, *PACKAGES).splitlines()
    assert inputs == "price_amount price_cents 9.99 99.0"
    assert columns == "price price"
    assert found == "0.8 True"
