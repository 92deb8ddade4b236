"""What goes into each step and what comes out: provider, graph and both targets take it from here.

A module per step. `Inputs` is what the graph gives on every target, `LocalInputs` and `AzureInputs` add what the target
knows, `Outputs` is what the step computes. Field names are the names in the stack's state. No SDK is imported here.
"""
