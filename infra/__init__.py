"""The Pulumi program, the provider of its steps and the command line."""
