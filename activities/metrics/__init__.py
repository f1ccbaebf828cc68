"""What Prometheus says: impact, blast radius, start of the trouble, stability, error budget."""
