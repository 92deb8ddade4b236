"""What a model depends on besides its data."""
