"""The fit of the reference architecture: SynapseML's LightGBM on Spark's vectors."""
