"""From rows to a verified model bundle, on this machine or on Spark; `python -m training` runs it without Pulumi.

On Databricks `training.databricks` does. From Python, `describe` checks a dataset and gives its identity, and `train`
fits, compares with the baselines and writes a bundle, which `features` opens:

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from lightgbm import Booster
>>> from features import Bundle, RawRows
>>> from training import TablesDataset, TrainingRequest, describe, train
>>> folder, tables = TemporaryDirectory(), TablesDataset(kind="tables", spec="examples/tables/dataset.yaml")
>>> result = train(TrainingRequest(dataset=tables, output=Path(folder.name)), describe(tables))
>>> result.verdict.accepted, round(result.metrics["auc"], 3)
(True, 0.922)
>>> bundle = Bundle.load(Path(result.bundle))
>>> bundle.schema.features
('age', 'minutes', 'critics_score', 'country', 'favourite_genre', 'genre', 'device')
>>> records = [[31, 135, 2.9, "JP", "thriller", genre, "phone"] for genre in ("crime", "thriller")]
>>> inputs = RawRows.of_records(bundle.schema, records).encode(bundle.click_model.encoder)
>>> Booster(model_file=bundle.click_model.trees).predict(inputs).round(2)
array([0.05, 0.26])

`TrainingParameters` and `GateParameters` are the request's other parts, `CriteoDataset` and `FilmsDataset` the other
kinds of data. Every failure is a `features.PersonalizationError`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from features import offered
from training.platform import on_databricks, prefer_job_libraries

if on_databricks():
    prefer_job_libraries(Path(__file__).parents[1])

if TYPE_CHECKING:
    from training.datasets import describe as describe
    from training.parameters import CriteoDataset as CriteoDataset
    from training.parameters import FilmsDataset as FilmsDataset
    from training.parameters import GateParameters as GateParameters
    from training.parameters import TablesDataset as TablesDataset
    from training.parameters import TrainingParameters as TrainingParameters
    from training.request import TrainingRequest as TrainingRequest
    from training.run import train as train
else:  # imported when asked for, once the job's libraries come first
    __getattr__ = offered(
        __name__,
        datasets=("describe",),
        parameters=("CriteoDataset", "FilmsDataset", "GateParameters", "TablesDataset", "TrainingParameters"),
        request=("TrainingRequest",),
        run=("train",),
    )
