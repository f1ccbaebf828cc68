"""The agent runtime: what agents do, and what of them is held, ended, or kept as evidence."""
