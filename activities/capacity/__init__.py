"""How much of a service runs: the bounds of its autoscaler, and the replicas of a Deployment."""
