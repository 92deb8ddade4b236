"""A generated dataset whose true probabilities are known: users, films and views."""
