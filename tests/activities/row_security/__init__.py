"""Row security, on a real PostgreSQL."""
