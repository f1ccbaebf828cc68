"""The edge before sign-in, by our own contract and as Cloud Armor."""
