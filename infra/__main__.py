"""The Pulumi program: settings, dataset, and one of two programs."""

from infra.program import program

program()
