"""What may leave the platform, what really left, and whether surfaces fetch what an answer points to."""
