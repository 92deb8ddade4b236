"""From rows to inputs: one pass over the dataset, the split, counts and the encoder."""
