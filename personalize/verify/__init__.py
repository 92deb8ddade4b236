"""The first contact with a real subscription: stage by stage, and what Azure answers where the simulation assumes."""
