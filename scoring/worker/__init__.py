"""A worker process: its model, keys, logs and metrics, and the supervisor that keeps it alive."""
