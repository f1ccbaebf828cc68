"""What is used and spent, by tenant, agent, key and trace; whose it is; and what looks like a loop."""
