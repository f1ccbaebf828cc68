"""The registry, the release plane, the eval runner and the guardrails."""
