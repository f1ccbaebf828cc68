"""The domain: deterministic, no I/O, no clocks, no clients."""
