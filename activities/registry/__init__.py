"""Models, prompts and guard chains: which triple serves, what was released, what is rolled out, and which model answers whom."""
