"""The rows of what a breach is contained with."""
