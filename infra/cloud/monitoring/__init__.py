"""Monitoring on Azure: logs, metrics, the queries on them, and the alerts."""
