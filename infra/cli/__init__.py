"""`personalize`, the command line. Modules that take long to import are imported by the command that needs them."""
