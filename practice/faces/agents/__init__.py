"""`/agents`: the agent runtime of our own product."""
