"""What is asked of one PostgreSQL server. Every statement is built by SQLAlchemy or stands here whole; names are quoted by the dialect."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from activities.databases.by_hand import granted
from activities.databases.seen import Right
from activities.kit.words.sql import named

CONNECT_WITHIN, ANSWER_WITHIN = 2, "3s"  # the driver knows no less than two seconds
TOO_MANY = "53300"
READ_ONLY = "25006"

NODE = sa.text(
    """
    select pg_is_in_recovery() as standby,
      (select system_identifier::text from pg_control_system()) as system_id,
      case when pg_is_in_recovery()
        then coalesce((select received_tli from pg_stat_wal_receiver), (select timeline_id from pg_control_checkpoint()))
        else ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 8, '0'))::bit(32)::int end as timeline,
      pg_wal_lsn_diff(case when pg_is_in_recovery()
        then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) else pg_current_wal_flush_lsn() end, '0/0')::bigint as lsn,
      pg_wal_lsn_diff(case when pg_is_in_recovery()
        then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end, '0/0')::bigint as replayed,
      case when pg_is_in_recovery() then pg_last_xact_replay_timestamp() else clock_timestamp() end as last_commit_at,
      clock_timestamp() as now,
      case when pg_is_in_recovery() then exists(select from pg_stat_wal_receiver where status = 'streaming') else true end as streaming,
      case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as paused,
      (select count(*) from pg_stat_activity where backend_type = 'client backend')::float
        / current_setting('max_connections')::int as connections,
      current_setting('synchronous_standby_names') <> '' as synchronous
    """
)
WRITE = sa.text("select pg_logical_emit_message(true, 'incident', 'probe')")  # a committed transaction in the log, and in no table
PROMOTE = sa.text("select pg_promote(true, 60)")
BLOCKERS = sa.text(
    """
    select pid::text || '-' || extract(epoch from query_start)::bigint::text as id, extract(epoch from clock_timestamp() - query_start) as for_s,
      lower(split_part(ltrim(query), ' ', 1)) as what
    from pg_stat_activity where state <> 'idle' and backend_type = 'client backend' and pid <> pg_backend_pid()
      and query_start < clock_timestamp() - interval '60 seconds'
    """
)
CANCEL = sa.text(
    "select pg_cancel_backend(pid) from pg_stat_activity where pid::text || '-' || extract(epoch from query_start)::bigint::text = :id"
)
TABLES = sa.text("select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname = :schema order by 1")
SESSIONS = sa.text("select count(*) from pg_stat_activity where usename = any(:roles) and pid <> pg_backend_pid()")
# A right is looked at when a statement begins: a transaction that has written already may still be committed.
WRITTEN = sa.text(
    "select count(*) from pg_stat_activity where usename = any(:roles) and pid <> pg_backend_pid() and backend_xid is not null"
)
END = sa.text("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = any(:roles) and pid <> pg_backend_pid()")
MAY_WRITE = sa.text(
    """
    select exists(select from pg_tables t cross join unnest(cast(:roles as text[])) as r(name)
      where t.schemaname = :schema
        and (has_table_privilege(r.name, format('%I.%I', t.schemaname, t.tablename), 'INSERT, UPDATE, DELETE, TRUNCATE')
          or has_any_column_privilege(r.name, format('%I.%I', t.schemaname, t.tablename), 'INSERT, UPDATE')))
    """
)

# What the roles were granted in the tables, and in single columns; an owner who was granted nothing has it by being the owner.
RIGHTS = sa.text(
    """
    select r.rolname as role, a.privilege_type as may, t.col as column, a.is_grantable as passes_on, array_agg(t.name order by t.name) as tables
    from (
      select c.relname as name, '' as col, coalesce(c.relacl, acldefault('r', c.relowner)) as acl
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = :schema and c.relkind in ('r', 'p')
      union all
      select c.relname, f.attname, f.attacl from pg_attribute f join pg_class c on c.oid = f.attrelid
        join pg_namespace n on n.oid = c.relnamespace where n.nspname = :schema and f.attacl is not null
    ) t cross join lateral aclexplode(t.acl) a join pg_roles r on r.oid = a.grantee
    where r.rolname = any(:roles) and a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
    """
)


class Server:
    """One server, reached by one address. Connections are opened when they are needed, and closed."""

    def __init__(self, address: str, user: str, password: str, database: str) -> None:
        host, _, port = address.partition(":")
        url = sa.URL.create("postgresql+psycopg", user, password, host, int(port or 5432), database)
        told = {"connect_timeout": CONNECT_WITHIN, "options": "-c statement_timeout=3s -c lock_timeout=2s", "application_name": "incident"}
        self.engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=told, isolation_level="AUTOCOMMIT")

    @contextmanager
    def open(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            yield connection

    def row(self, statement: sa.TextClause, **given: Any) -> Any:
        with self.open() as connection:
            return connection.execute(statement, given).mappings().one()

    def one(self, statement: sa.TextClause, **given: Any) -> Any:
        with self.open() as connection:
            return connection.execute(statement, given).scalar()

    def rows(self, statement: sa.TextClause, **given: Any) -> list[Any]:
        with self.open() as connection:
            return list(connection.execute(statement, given).mappings())

    def count(self, table: str) -> int:
        """Read a whole table; its name is quoted already."""
        with self.open() as connection:
            connection.execute(sa.text("set statement_timeout = '60s'"))
            return int(connection.execute(sa.select(sa.func.count()).select_from(sa.text(table))).scalar() or 0)

    def promote(self) -> bool:
        with self.open() as connection:
            connection.execute(sa.text("set statement_timeout = '65s'"))
            return bool(connection.execute(PROMOTE).scalar())

    def rights(self, roles: tuple[str, ...], schema: str) -> tuple[Right, ...]:
        """What these may write, as it was granted to them."""
        found = self.rows(RIGHTS, roles=list(roles), schema=schema)
        return tuple(Right.model_validate(dict(row) | {"tables": tuple(row["tables"])}) for row in found)

    def revoke(self, roles: tuple[str, ...], schema: str) -> None:
        """The right to write in every table is taken, in one transaction; who has lost it is disconnected afterwards."""
        self._all([f"revoke insert, update, delete, truncate on all tables in schema {named(schema)} from {', '.join(map(named, roles))}"])
        self.one(END, roles=list(roles))

    def grant(self, rights: Sequence[Right], schema: str) -> None:
        """These, and no more, in one transaction."""
        self._all([granted(one, schema) for one in rights])

    def _all(self, statements: Sequence[str]) -> None:
        with self.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))


def state_of(error: DBAPIError) -> str:
    """The SQLSTATE; of a connection that was refused the driver says it only in words."""
    found = getattr(error.orig, "sqlstate", None) or ""
    return found or (TOO_MANY if re.search(r"too many (clients|connections)|remaining connection slots", str(error.orig)) else "")


def first_line(error: DBAPIError) -> str:
    said = str(error.orig).strip().splitlines()
    return said[0] if said else type(error.orig).__name__
