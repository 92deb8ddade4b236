"""The network of a private stack: addresses, names, and the endpoints by which Azure's services are reached in it."""
