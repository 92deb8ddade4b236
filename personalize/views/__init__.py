"""What commands show: one module gathers and prints one thing."""
