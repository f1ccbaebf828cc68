"""`/jobs`: queues and workers. What waits and what is done, counted by id; consumers, limits, retries, and what is parked."""
