"""Serving on Azure: the cluster, the container registry, the vault, and the identity of the pods."""
