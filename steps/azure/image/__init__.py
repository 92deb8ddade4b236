"""The serving image on Azure: its build context, and the two places where it can be built."""
