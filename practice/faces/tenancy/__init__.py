"""Tenants' data: what the product says of it, its CDN, its sign-in, and the product as canary tenants meet it."""
