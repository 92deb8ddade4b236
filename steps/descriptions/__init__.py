"""Inputs and outputs of each step, for the provider, the graph and both targets.

One module per step. `Inputs` are given by the graph on every target, `LocalInputs` and `AzureInputs` add what only the
target knows, `Outputs` are computed by the step. Field names are the names in the stack's state. Imports no SDK.
"""
