"""The HTTP service that serves click probabilities."""
