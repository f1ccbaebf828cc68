"""Real stores, one for each test process."""
