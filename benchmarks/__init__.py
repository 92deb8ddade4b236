"""What the project claims to reach, measured. Every benchmark writes `benchmarks/results/NAME.json`."""
