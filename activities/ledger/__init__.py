"""The record in SQL: effects, timeline, status, deliveries. It outlives Temporal's retention."""
