"""Runs inside the transaction that `Ledger.migrate` opened, so that two processes starting at once wait for one another."""

from alembic import context

from activities.ledger import discrepancies as findings  # noqa: F401 - its table belongs to the same ledger
from activities.ledger.ledger import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
