"""A run, stage by stage, from rows to a sealed bundle."""
