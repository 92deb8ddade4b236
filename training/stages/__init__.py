"""The stages of a run, from rows to a sealed bundle."""
