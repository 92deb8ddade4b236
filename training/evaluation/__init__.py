"""Compares the model with baselines and earlier versions, and decides whether it may serve."""
