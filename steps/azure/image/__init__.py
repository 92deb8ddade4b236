"""The serving image on Azure: what it is built from, and the two places where it can be built."""
