"""Who sent an answer: personal codes, and the look-up of people."""
