"""The faces of what a breach is contained with."""
