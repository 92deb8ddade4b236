"""What `make setup` prepares once the Python environment exists, and `make spark` where Spark is to run here."""
