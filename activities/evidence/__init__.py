"""Exports of what the metrics showed, kept as files with their hash."""
