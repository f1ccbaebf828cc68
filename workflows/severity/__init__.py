"""The severity function: rules over facts, and when severity may be raised or lowered. Pure."""
