"""What a stack costs in a month: prices, what is used of each, and the product, line by line."""
