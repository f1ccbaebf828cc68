"""Tenants' data behind endpoints: whose it is, who reads it, and the ways in which it crosses from one tenant to another."""
