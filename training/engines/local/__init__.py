"""The engine that needs nothing but this machine's own processes: no Spark, no Java."""
