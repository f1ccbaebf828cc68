"""Stories of §2.12."""
