"""GitHub's webhooks, and systems that organisation.toml describes."""
