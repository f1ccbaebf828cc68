"""`/quality`, `/evals`, `/guardrails` of our own product; and the registries of two vendors, `/mlflow` and `/langfuse`."""
