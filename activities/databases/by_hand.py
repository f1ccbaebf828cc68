"""What a person types on PostgreSQL, PgBouncer and Patroni themselves, where no contract of ours stands before them.

`service=main` is a section of the person's own `pg_service.conf`: it has the address, and no password stands in a command.
"""

from collections.abc import Sequence

from activities.databases.seen import Right
from activities.kit.words.shell import Command, Var, Word, command, comment
from activities.kit.words.sql import named, quoted

CONSOLE = "pgbouncer"
DATABASE = Var("DATABASE")
TABLES = "ALL TABLES IN SCHEMA public"


def sql(service: str, statement: Word) -> Command:
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


def revoke(cluster: str, rights: Sequence[Right]) -> tuple[str, ...]:
    """In this order: a session that is open keeps what it has until it is ended."""
    roles = tuple(dict.fromkeys(one.role for one in rights))
    if not roles:
        note = f"note with \\dp what the roles of the application may do in {cluster}: exactly that is given back"
        return (comment(note), *sessions(cluster))
    lines: list[str] = []
    for role in roles:
        ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {quoted(role)}"  # noqa: S608 - quoted
        lines += [sql(cluster, f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {TABLES} FROM {named(role)}"), sql(cluster, ending)]
    return tuple(lines)


def grant(cluster: str, rights: Sequence[Right]) -> tuple[str, ...]:
    """What was there, and no more."""
    if not rights:
        return (comment(f"give back to the roles of the application what they had in {cluster}, table by table, and no more"),)
    return tuple(sql(cluster, granted(one, "public")) for one in rights)


def granted(right: Right, schema: str) -> str:
    """The statement that grants it."""
    column = f" ({named(right.column)})" if right.column else ""
    tables = ", ".join(f"{named(schema)}.{named(table)}" for table in right.tables)
    return f"GRANT {right.may}{column} ON {tables} TO {named(right.role)}{' WITH GRANT OPTION' if right.passes_on else ''}"


def sessions(cluster: str) -> tuple[str, ...]:
    return (sql(cluster, "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2"),)


def repoint(node: str) -> tuple[str, ...]:
    """KILL and not PAUSE: that waits until every session has ended by itself."""
    return (
        comment(f"name {node} as the host of the database in pgbouncer.ini; DATABASE is the name that clients connect to"),
        sql(CONSOLE, ("KILL ", DATABASE)),
        sql(CONSOLE, "RELOAD"),
        sql(CONSOLE, ("RESUME ", DATABASE)),
    )


def pooled() -> tuple[str, ...]:
    return (sql(CONSOLE, "SHOW DATABASES"), sql(CONSOLE, "SHOW SERVERS"))


def patroni(*words: str) -> tuple[str, ...]:
    return (command("patronictl", *words),)
