"""What a person types on PostgreSQL, PgBouncer and Patroni themselves, where no contract of ours stands before them.

`service=main` is a section of the person's own `pg_service.conf`: it has the address, and no password stands in a command.
"""

from activities.kit.words.shell import Command, command, comment

CONSOLE = "pgbouncer"
TABLES = "ALL TABLES IN SCHEMA public"


def sql(service: str, statement: str) -> Command:
    return command("psql", ("service=", service), "-c", statement)


def look_at(node: str) -> tuple[str, ...]:
    return (sql(node, "SELECT pg_is_in_recovery(), pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()"),)


def fence(node: str) -> tuple[str, ...]:
    return (
        comment(f"stop {node} where it runs, so that nothing starts it again"),
        command("systemctl", "disable", "--now", "postgresql"),
        comment("then see from two networks that it takes no write"),
        sql(node, "SELECT pg_logical_emit_message(true, 'incident', 'probe')"),
    )


def revoke(cluster: str) -> tuple[str, ...]:
    """In this order: a session that is open keeps what it has until it is ended."""
    return (
        sql(cluster, f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {TABLES} FROM product"),
        sql(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'product'"),
    )


def grant(cluster: str) -> tuple[str, ...]:
    return (sql(cluster, f"GRANT INSERT, UPDATE, DELETE, TRUNCATE ON {TABLES} TO product"),)


def sessions(cluster: str) -> tuple[str, ...]:
    return (sql(cluster, "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2"),)


def repoint(node: str) -> tuple[str, ...]:
    return (
        sql(CONSOLE, "PAUSE"),
        comment(f"name {node} as the host of the database in pgbouncer.ini, then"),
        sql(CONSOLE, "RELOAD"),
        sql(CONSOLE, "RESUME"),
    )


def pooled() -> tuple[str, ...]:
    return (sql(CONSOLE, "SHOW DATABASES"), sql(CONSOLE, "SHOW SERVERS"))


def patroni(*words: str) -> tuple[str, ...]:
    return (command("patronictl", *words),)
