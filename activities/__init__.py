"""The outside. One folder per system: the orders it takes, a class whose methods are its verbs, its clients, and its `SYSTEM`."""
