"""Stories of the change freeze."""
