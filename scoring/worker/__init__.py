"""A worker process: `service` has its model and its duties, and the `supervisor` keeps it alive.

`keys`, `logs` and `metrics` are its own; `snapshots` follows the users' histories and the catalogue.
"""
