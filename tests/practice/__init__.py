"""The practice platform itself."""
