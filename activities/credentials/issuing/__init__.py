"""Issuers of keys, each with its own client."""
