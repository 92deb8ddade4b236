"""Criteo's own rows: files of this machine, or downloaded ones."""
