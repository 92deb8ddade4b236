"""The generated parts of the documentation, and the build of its site."""
