"""The legal clocks of one incident: a workflow that outlives it."""
