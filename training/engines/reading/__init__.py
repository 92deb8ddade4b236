"""A dataset's rows in pieces that any process of any engine can read."""
