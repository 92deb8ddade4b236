"""The HTTP service that answers with click probabilities."""
