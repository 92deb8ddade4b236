"""The serving image on Azure: what it is built from, and the two places that can build it."""
