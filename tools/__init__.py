"""Prepares a machine for the project; holds the pinned sources of programs that have no package."""
