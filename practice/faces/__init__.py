"""The faces of the world: one module or folder per system, in its own wire format."""
