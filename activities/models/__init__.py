"""Who answers LLM calls: routes, degraded modes, the clients' retry policy, and the canary back to the primary."""
