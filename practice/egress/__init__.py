"""What leaves the platform: outbound calls by workloads and by clients that render, and what refuses them."""
