"""The monthly cost of a stack: prices, quantities and their products, line by line."""
