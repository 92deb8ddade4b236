"""Shared by the commands: options, output and progress."""
