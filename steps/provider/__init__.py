"""The provider between Pulumi's engine and the steps: what a step is, and how the engine calls it."""
