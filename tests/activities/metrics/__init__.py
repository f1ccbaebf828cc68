"""What the metrics store is asked."""
