"""The Pulumi program: settings, the graph, and what each target makes of it."""
