"""Checks of this machine and of a subscription, before anything is created."""
