"""What is watched on Azure: logs and metrics, what is asked of them, and what wakes somebody up."""
