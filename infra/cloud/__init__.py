"""The environment on Azure and the steps in it, one file for each Azure service."""
