"""The ticket of an incident: GitHub issues."""
