"""The faces of the world: one file per system, in its own wire format."""
