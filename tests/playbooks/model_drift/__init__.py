"""The stories of §2.7, model drift and quality regression."""
