"""A worker process: its model, keys, logs, metrics and traces, and the supervisor that keeps it alive."""
