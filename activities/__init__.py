"""The outside. One file per external system: the orders it takes, and a class whose methods are its verbs."""
