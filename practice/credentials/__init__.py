"""Credentials: keys at their issuers, versions in the secret store, who uses them, and who checks them with a cache of their own."""
