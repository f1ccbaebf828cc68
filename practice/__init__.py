"""A small multi-tenant AI platform to practise on: one world behind the vendors' own wire formats (see docs/practice-platform.md)."""
