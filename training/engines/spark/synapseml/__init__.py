"""The fit of the reference: SynapseML's LightGBM, which takes Spark's own vectors."""
