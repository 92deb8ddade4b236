"""One worker process: the model that it serves, its keys, logs, metrics and traces, and who keeps it alive."""
