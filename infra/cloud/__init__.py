"""The resources of a stack on Azure, one file for each Azure service."""
