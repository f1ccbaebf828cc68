"""What every playbook stands on: the verbs, the one place that invokes activities, measures and their lift, the incident's state."""
