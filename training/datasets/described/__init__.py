"""Datasets of up to three tables that a YAML file describes: checked, then joined."""
