"""What is needed of Spark itself: the session, its log, its paths, and what its failures mean."""
