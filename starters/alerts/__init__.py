"""Alerts that open incidents: the receiver of Alertmanager's webhook, and the reconciler."""
