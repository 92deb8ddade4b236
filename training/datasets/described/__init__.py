"""Datasets of three tables that a YAML file describes: checked, then joined."""
