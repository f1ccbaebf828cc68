"""`/llm`: the model gateway of our own product."""
