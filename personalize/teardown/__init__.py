"""What is left of a stack on Azure after it was destroyed, and what is saved of it before."""
