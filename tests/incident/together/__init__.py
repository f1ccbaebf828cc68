"""One incident, several playbooks."""
