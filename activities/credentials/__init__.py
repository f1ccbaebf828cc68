"""Credentials: what each is and reaches, revoked at its issuer, tried where it is checked, and replaced. References only, never a value."""
