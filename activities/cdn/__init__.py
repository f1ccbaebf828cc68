"""The content delivery network: what goes past it, and the generation of its keys."""
