"""Load tests: sends a service requests from many clients, and measures the answers."""
