"""Real stores from their wheels, each started for one process and stopped with it."""
