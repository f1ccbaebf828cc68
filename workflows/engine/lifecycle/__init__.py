"""How an incident begins and ends, and how its plan is made."""
