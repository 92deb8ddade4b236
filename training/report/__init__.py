"""The report of a training run: one self-contained page, for readers who are not ML engineers."""
