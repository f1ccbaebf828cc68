"""Hostile text in every field: nothing of it runs, draws on a screen, or calls anybody."""
