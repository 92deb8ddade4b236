"""The commands. Modules that take long to import are imported by the command that needs them."""
