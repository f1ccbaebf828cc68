"""Pages and questions to our own people: PagerDuty, and direct messages beside it."""
