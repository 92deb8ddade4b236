"""What the commands talk to: the running service, the cluster, and the registries of models."""
