"""The Pulumi program. Begin with `on_machine.py` or `on_azure.py`: each is a list of all resources of a stack, in the
order in which they come up.

`program.py` reads settings (`settings.py`) and dataset, and runs one of the two. `cloud/` has Azure's services,
`workload/` the objects in the cluster, `cost/` prices and sizes.
"""
