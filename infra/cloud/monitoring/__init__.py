"""Monitoring on Azure: logs, metrics, queries and alerts."""
