"""The control plane of our own product, which several systems are written through, and its feed of changes."""
