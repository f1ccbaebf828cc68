"""Work in the background: queues, workers, the tenants whose jobs they are, and what the jobs stand on."""
