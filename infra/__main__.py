"""The Pulumi program: settings, graph, outputs."""

from infra.graph import program

program()
