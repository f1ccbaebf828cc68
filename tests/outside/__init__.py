"""Programs that we did not write judge us: kubectl, Prometheus, Google's client, the Temporal UI in a browser."""
