"""Prompt injections that really work: what carries a payload, which sessions obey it, and what they bring about."""
