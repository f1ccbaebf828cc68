"""Queues and workers: what waits and who works, what of it is held back, and what is parked. By our own contract, Celery or RabbitMQ."""
