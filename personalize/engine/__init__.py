"""Pulumi's engine as a child process: events, failures and interruption."""
