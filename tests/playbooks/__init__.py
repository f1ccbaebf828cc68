"""Stories: one for every branch of a playbook."""
