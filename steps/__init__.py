"""The steps of the programs in `infra`: a Pulumi provider of the project's own.

Begin with `step.py`, which says what a step is, and a short one such as `api_key.py`: each step is one module, with its
inputs, its outputs, what it does on this machine and what it does on Azure. `catalogue.py` lists them, and
`provider.py` calls them for Pulumi's engine, in the process that `pulumi-resource-personalize` starts (`server.py`).
The other modules are what several steps use.
"""
