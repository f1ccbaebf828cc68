"""Eval suites are run, and their results are believed only when they are new, whole and of what was asked; judged answers by slice."""
