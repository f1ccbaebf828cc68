"""The war room of an incident, and messages to standing channels: Slack."""
