"""Pulumi's engine as a child process: its events, its failures, and how it is interrupted."""
