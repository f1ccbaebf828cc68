"""The model traffic of the world: calls, load, latency, faults of providers."""
