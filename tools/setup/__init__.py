"""What `make setup` prepares once the Python environment exists: the Pulumi CLI and SynapseML's jars."""
