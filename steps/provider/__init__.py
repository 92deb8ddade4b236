"""The engine's calls on one side, the steps on the other: what a step is, and how the engine reaches it."""
