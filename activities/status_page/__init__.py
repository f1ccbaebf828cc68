"""What customers read about an incident: Statuspage."""
