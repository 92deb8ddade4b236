"""The network of a private stack: addresses, DNS names and private endpoints."""
