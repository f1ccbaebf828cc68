"""The stories of playbook 2.4, data breach."""
