"""The parts of the documentation that are made from the code, and the build of its site."""
