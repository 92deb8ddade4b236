"""Criteo's rows, from local files or downloads."""
