"""Issuers, the secret store, those who check keys, and replacements that are made once."""
