"""A bundle made ready to score: request types, encoding, and what each operation computes."""
