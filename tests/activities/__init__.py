"""The systems against their practice faces."""
