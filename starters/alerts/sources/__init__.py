"""Who posts alerts besides Alertmanager: GitHub, and systems that `organisation.toml` describes. Each is a mapping, as data."""
