"""Protections of the playbooks of the AI runtime, each removed in its turn."""
