"""The steps of the graph: a Pulumi provider of the project's own. `pulumi-resource-personalize` starts it."""
