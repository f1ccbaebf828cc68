"""Clusters of databases, by our own contract; and their backups."""
