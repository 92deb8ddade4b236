"""Clients of the running service, the cluster and the model registries."""
