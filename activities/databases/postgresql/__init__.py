"""PostgreSQL itself, by SQL: streaming replication, roles and their rights; with PgBouncer before it, and what fences a node."""
