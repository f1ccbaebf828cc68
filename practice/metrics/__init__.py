"""The Prometheus of the world: samples, PromQL, alert rules, and the webhook that alerts are sent by."""
