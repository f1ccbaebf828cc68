"""The rows of the supply chain."""
