"""Settings → clients → activities → Worker. The only place that opens the vendors' clients and that knows which playbooks exist."""
