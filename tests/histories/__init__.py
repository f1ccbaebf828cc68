"""Recorded histories of incidents. Each must replay on the code of today."""
