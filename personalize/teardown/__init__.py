"""Saves a stack's models before `destroy`, and lists what is left on Azure afterwards."""
