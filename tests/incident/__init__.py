"""What is the same in every incident: approvals, roles, severity, communications, shadow mode."""
