"""Canaries, the leak ledger, and what is closed by them."""
