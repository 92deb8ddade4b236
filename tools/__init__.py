"""What prepares a machine for the project, and the pinned sources of the programs that have no package."""
