"""`/platform`: the control plane of our own product."""
