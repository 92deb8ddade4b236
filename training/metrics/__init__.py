"""How good probabilities are: counts by score, and what follows from them."""
