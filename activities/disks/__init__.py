"""Copies of disks, as evidence: begun once, found again, never deleted by us."""
