"""§2.10 as a customer, a thief and the people on call live through it."""
