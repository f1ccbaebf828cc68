"""Access to what an incident touches: for named responders, until an instant."""
