"""Datasets that stay where they are, in a container of Azure Storage: their listing identifies them."""
