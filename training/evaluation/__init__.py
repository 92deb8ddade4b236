"""What the model is compared with, and whether it may serve."""
