"""Tenants' data: what of it crosses, tried by canary tenants, and who has seen what of whom."""
