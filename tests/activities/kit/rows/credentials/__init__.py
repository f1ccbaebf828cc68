"""The rows of credentials: what is revoked, disabled, forgotten and made once."""
