"""Watches that outlive their incident."""
