"""The alert rules, the receiver and the reconciler."""
