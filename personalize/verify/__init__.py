"""Tests a stack's life on a real subscription, and records Azure's response to each of the simulation's assumptions."""
