"""What commands share at the terminal: options, output and progress."""
