"""A dataset's rows in pieces that are read apart, by whichever process of whichever engine."""
