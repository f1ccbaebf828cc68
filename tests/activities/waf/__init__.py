"""The edge, by our own contract and by Cloud Armor."""
