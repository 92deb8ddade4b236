"""The engine that runs in processes on this machine, without Spark or Java."""
