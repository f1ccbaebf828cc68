"""What runs of ours, what is blocked, and how a build without it comes about."""
