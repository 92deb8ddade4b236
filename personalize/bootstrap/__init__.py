"""What a subscription needs once, before any stack: a place for Pulumi's state, registered providers, an identity."""
