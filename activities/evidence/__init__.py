"""The evidence store, its manifest, and exports of what the metrics showed."""
