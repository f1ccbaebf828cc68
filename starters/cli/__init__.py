"""The commands of `incident`."""
