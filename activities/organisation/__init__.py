"""The organisation's file, `organisation.toml`: people, rota, services, policy, and every number that can be set."""
