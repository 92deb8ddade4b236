"""Generated datasets whose true probabilities are known: rows like Criteo's, and users, films and views."""
