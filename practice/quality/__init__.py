"""Which models, prompts and guard chains answer, how good the answers are, and what judges them."""
