"""What the true click probabilities of generated rows reach: the best that any model could."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from features.schema import Schema
from training.datasets.synthetic import true_probability
from training.evaluate import evaluate
from training.parameters import Dataset, SyntheticDataset
from training.report import BestReachable


def best_reachable(raw: DataFrame, dataset: Dataset, schema: Schema) -> BestReachable | None:
    """The best AUC and log loss on these raw rows (label, numbers and categories); None unless they were generated."""
    if not isinstance(dataset, SyntheticDataset):
        return None

    def score(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            features = {name: batch[name] for name in schema.features}
            label = batch[schema.label].astype(np.int32)
            yield pd.DataFrame({"label": label, "probability": true_probability(features)})

    evaluation = evaluate(raw.mapInPandas(score, "label int, probability double"))
    return BestReachable(auc=evaluation.auc, log_loss=evaluation.log_loss)
