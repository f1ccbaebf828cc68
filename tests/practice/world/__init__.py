"""The world of the practice platform: clock, traffic, PromQL, alert rules."""
