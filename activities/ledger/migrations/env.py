"""Runs inside the transaction that `Ledger.migrate` opened, so that two processes starting at once wait for one another."""

from alembic import context

from activities.ledger import capabilities, discrepancies, holders  # noqa: F401 - their tables belong to the same ledger
from activities.ledger.tables import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
