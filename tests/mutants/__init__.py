"""Protections that are removed one at a time, each with the tests that must fail then (`make mutate`)."""
