"""What people have done inside an open incident, beside its playbook."""
