"""What a subscription needs once: resource providers, a state backend, identities for workflows."""
