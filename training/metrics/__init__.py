"""Metrics of predicted probabilities, computed from counts by score."""
