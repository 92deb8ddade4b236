"""What steps and commands do with Azure's SDKs. Begin with `credentials.py`: who is signed in, and all clients.

`retries.py` says how long Azure is waited for, `resources.py` which of a stack's resources a client is for. `lake.py`
has folders in the lake, by the volumes of `volumes.py`, and on them are `snapshots.py` (what a service looks up) and
`model_registry.py`, whose versions (`model_versions.py`) are those of the registry on a machine too.
`databricks_runs.py` runs the training job, `cluster.py` and `kubernetes_token.py` sign in to AKS, and
`resource_manager.py` asks Azure's own API. `containers.py` reads in any container, with or without a stack.
"""
