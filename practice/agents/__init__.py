"""Agents that really run: their sessions, runs, schedules and tools, what they spend, and the limits of it."""
