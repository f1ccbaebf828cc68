"""Guardrails of a model route: what they find, how strict they are, and what the product does while they are down."""
