"""Two incidents and one thing outside (ADR 25)."""
