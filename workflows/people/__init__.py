"""What people may send to an incident: approvals, questions, commands, roles, permissions."""
