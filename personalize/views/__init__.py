"""The output of commands: each module gathers and prints one thing."""
