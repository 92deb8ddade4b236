"""`personalize`, the command line, and what it works with."""
