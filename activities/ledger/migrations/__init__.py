"""The ledger's tables, version by version. `Ledger.migrate()` runs them; nobody needs the alembic command."""
