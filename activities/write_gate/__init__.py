"""Whether an application takes writes: it can be made read-only."""
