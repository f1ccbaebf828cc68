"""Clusters of databases: their nodes, who may write, and what is done when the primary fails."""
