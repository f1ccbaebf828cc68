"""Whether the impact has ended, and whether the service is stable; and the same in shadow mode."""
