"""Measures the project's targets. Every benchmark writes `benchmarks/results/NAME.json`."""
