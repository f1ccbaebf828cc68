"""What is logged of accesses to data, for how long, and whether an event really arrives."""
