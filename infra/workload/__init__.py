"""The service's objects in Kubernetes."""
