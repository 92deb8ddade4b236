"""Guesses a dataset config from tables, with a reason for each guess."""
