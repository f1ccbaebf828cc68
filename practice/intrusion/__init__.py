"""An intruder: a stolen identity that exports rows, what it has left behind to come back by, a claim with samples, and what people can see of it."""
