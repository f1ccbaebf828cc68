"""PostgreSQL itself: an auditor reads the catalogue, and the application's own role tries what it can see.

Only rows of canary tenants are counted. What is tried in writing is rolled back before anything else is done.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import permutations
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from activities.action import Call, NotYet, Refused
from activities.row_security import catalogue
from activities.row_security.row_security import (
    AuditOf,
    Hole,
    Integrity,
    IntegrityOf,
    ProofOf,
    RowSecurityAudit,
    RowSecurityProof,
    SeenRows,
)

Row = dict[str, Any]
PATIENCE = 5  # times the timeout of a client, for all that is asked on one connection
READS, WRITES = ("r", "*"), ("a", "w", "*")  # as `pg_policy.polcmd` has them
CALLS = re.compile(r"([a-z_][a-z0-9_.]*)\s*\(", re.IGNORECASE)
KNOWN_CALLS = {"current_setting", "nullif", "coalesce", "lower", "uuid", "text", "and", "or", "not", "in"}


class PostgresCatalogue:
    """`audit` and `application`: how the auditor and the application's own role come in, as libpq takes it."""

    def __init__(self, audit: str, application: str, *, tenant: str, variable: str, timeout: float, missing: str = "") -> None:
        self._audit, self._application, self._missing = audit, application, missing
        self._tenant, self._variable, self._timeout = tenant, variable, timeout

    async def audit(self, call: Call, order: AuditOf) -> RowSecurityAudit:
        async with self._as(self._audit) as auditor:
            return await self._audited(auditor, await self._who())

    async def prove(self, call: Call, order: ProofOf) -> RowSecurityProof:
        if len(order.tenants) < 2:
            raise Refused("two canary tenants are needed: one alone cannot read another")
        async with self._as(self._audit) as auditor:
            role = await self._who()
            relations = await _rows(auditor, catalogue.RELATIONS, role=role, tenant=self._tenant)
        async with self._as(self._application) as application:
            left_over = await self._variable_now(application)
            # Nobody's turn first, on a connection on which nobody's ever was: later the variable is empty, and not unset.
            tried = [await self._tried(application, one, ("",), order.tenants) for one in relations]
            tried += [await self._tried(application, one, order.tenants, order.tenants) for one in relations]
            local = not left_over and not await self._outlives(application, order.tenants[0])
        return RowSecurityProof(
            role=role, read=len(relations) * len(order.tenants) ** 2, transaction_local=local,
            seen=tuple(one for seen, _, _ in tried for one in seen), written=tuple(name for _, name, _ in tried if name),
            unknown=tuple(why for _, _, why in tried if why),
        )  # fmt: skip

    async def integrity(self, call: Call, order: IntegrityOf) -> Integrity:
        async with self._as(self._audit) as auditor:
            keys = await _rows(auditor, catalogue.KEYS, tenant=self._tenant)
            found, unknown = dict[str, int](), list[str]()
            for key in keys:
                if key["hidden"]:  # the auditor itself is shown only some rows: none that is wrong among them proves nothing
                    unknown.append(key["child"])
                    continue
                asked = sql.SQL("select count(*) as n from {} c join {} p on c.{} = p.{} where c.{} is distinct from p.{}").format(
                    _name(key["child"]), _name(key["parent"]), sql.Identifier(key["column"]), sql.Identifier(key["referenced"]),
                    sql.Identifier(self._tenant), sql.Identifier(self._tenant),
                )  # fmt: skip
                try:
                    async with auditor.transaction():
                        found[key["child"]] = found.get(key["child"], 0) + int((await _rows(auditor, asked))[0]["n"])
                except psycopg.errors.InsufficientPrivilege:
                    unknown.append(key["child"])
        return Integrity(rows=found, unknown=tuple(unknown))

    async def who_may(self, call: Call) -> str:
        """By which role the application comes."""
        return await self._who()

    # ---- the audit ----

    async def _audited(self, auditor: psycopg.AsyncConnection[Row], role: str) -> RowSecurityAudit:
        asked = {"role": role, "tenant": self._tenant, "variable": self._variable}
        bypasses = (await _rows(auditor, catalogue.ROLE, **asked))[0]["bypasses"]
        relations = await _rows(auditor, catalogue.RELATIONS, **asked)
        policies = await _rows(auditor, catalogue.POLICIES, **asked)
        holes, unknown = [], []
        for one in relations:
            mine = [policy for policy in policies if policy["oid"] == one["oid"]]
            said, unread = self._of_relation(one, mine)
            holes += [Hole(kind=kind, where=one["name"]) for kind in said]
            unknown += unread
        holes += [
            Hole(kind="a function with its owner's rights", where=f["name"]) for f in await _rows(auditor, catalogue.FUNCTIONS, **asked)
        ]
        defaults = await _rows(auditor, catalogue.DEFAULTS, **asked)
        holes += [Hole(kind="a tenant that is set before anybody has said whose turn it is", where=d["whose"]) for d in defaults]
        if bypasses:
            holes.append(Hole(kind="the application passes by row security (BYPASSRLS, or superuser)", where=role))
        tables = tuple(one["name"] for one in relations if one["kind"] in "rp")
        owner = any(one["owned"] and not one["forced"] for one in relations if one["kind"] in "rp")
        return RowSecurityAudit(role=role, owner=owner, bypassrls=bypasses, tables=tables, holes=tuple(holes), unknown=tuple(unknown))

    def _of_relation(self, one: Row, policies: list[Row]) -> tuple[list[str], list[str]]:
        """The holes of a table or a view, and what of it cannot be judged."""
        if one["kind"] == "m":
            return ["a materialized view has no row security"], []
        if one["kind"] == "v":
            return ([] if one["invoker"] else ["a view with its owner's rights (no security_invoker)"]), []
        if not one["enabled"]:
            return ["row security is not enabled"], []
        said = ["the application owns the table, and row security is not forced"] if one["owned"] and not one["forced"] else []
        unknown = []
        for policy in (each for each in policies if each["permissive"]):
            # Without a check of its own, a policy for everything or for updates checks by what it lets through.
            checks = policy["checks"] if policy["checks"] is not None else policy["lets"]
            parts = [("lets through", policy["lets"])] if policy["command"] in READS else []
            parts += [("takes", checks)] if policy["command"] in WRITES else []
            for verb, text in parts:
                judged = self._judged(text)
                if judged is None:
                    unknown.append(f"what the policy {policy['name']} of {one['name']} {verb}")
                elif judged:
                    said.append(f"the policy {policy['name']} {verb} {judged}")
        return list(dict.fromkeys(said)), unknown

    def _judged(self, text: str | None) -> str | None:
        """What is wrong with the expression of a policy; empty when nothing; None when it cannot be judged."""
        if text is None:
            return None
        if {called.lower() for called in CALLS.findall(text)} - KNOWN_CALLS:
            return None  # what a function decides stands elsewhere
        if self._tenant not in text:
            return "every row, whosever it is"
        if re.search(r"\bis null\b", text, re.IGNORECASE) and self._variable in text:
            return "every row while no tenant is set"
        return "" if self._variable in text else None

    # ---- the proof ----

    async def _tried(
        self, application: psycopg.AsyncConnection[Row], one: Row, viewers: tuple[str, ...], tenants: tuple[str, ...]
    ) -> tuple[list[SeenRows], str, str]:
        """Whose rows are seen by whom in a table or a view; whether they can be moved to another; and what nobody can say."""
        seen: list[SeenRows] = []
        try:
            for viewer in viewers:
                owners = await self._counted(application, one["name"], viewer, tenants)
                seen += [SeenRows(viewer=viewer, owner=owner, table=one["name"], rows=n) for owner, n in owners.items() if owner != viewer]
            writes = one["kind"] in "rp" and viewers == tenants
            return seen, await self._moved(application, one, tenants) if writes else "", ""
        except psycopg.errors.Error as broke:
            return seen, "", f"{one['name']} ({broke.sqlstate or type(broke).__name__})"

    async def _counted(
        self, application: psycopg.AsyncConnection[Row], relation: str, viewer: str, tenants: tuple[str, ...]
    ) -> dict[str, int]:
        column = sql.Identifier(self._tenant)
        asked = sql.SQL("select {}::text as owner, count(*) as n from {} where {}::text = any(%(tenants)s) group by 1").format(
            column, _name(relation), column
        )
        async with application.transaction(force_rollback=True):
            await self._be(application, viewer)
            return {row["owner"]: row["n"] for row in await _rows(application, asked, tenants=list(tenants))}

    async def _moved(self, application: psycopg.AsyncConnection[Row], one: Row, tenants: tuple[str, ...]) -> str:
        """The table, where a tenant can put a row under another tenant's name. It is rolled back.

        It is a copy of one of its own: row security looks at it first, then the keys do. Whatever the keys say, row security has let it in.
        """
        column, table = sql.Identifier(self._tenant), _name(one["name"])
        asked = sql.SQL(
            "insert into {} select (jsonb_populate_record(mine, jsonb_build_object(%(column)s::text, %(other)s::text))).* "
            "from {} mine where mine.{}::text = %(viewer)s limit 1"
        ).format(table, table, column)
        for viewer, other in permutations(tenants, 2):
            try:
                async with application.transaction(force_rollback=True):
                    await self._be(application, viewer)
                    await application.execute("set local lock_timeout = '1s'")
                    values = {"column": self._tenant, "other": other, "viewer": viewer}
                    if (await application.execute(asked, values)).rowcount > 0:
                        return str(one["name"])
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.errors.IntegrityError:
                return str(one["name"])
        return ""

    async def _be(self, application: psycopg.AsyncConnection[Row], viewer: str) -> None:
        """For this transaction alone."""
        if viewer:
            await application.execute("select set_config(%(variable)s, %(viewer)s, true)", {"variable": self._variable, "viewer": viewer})

    async def _variable_now(self, application: psycopg.AsyncConnection[Row]) -> str:
        said = await _rows(application, "select coalesce(current_setting(%(variable)s, true), '') as now", variable=self._variable)
        return str(said[0]["now"])

    async def _outlives(self, application: psycopg.AsyncConnection[Row], tenant: str) -> bool:
        """Whether a tenant that was set for one transaction is still there after it."""
        async with application.transaction():
            await self._be(application, tenant)
        return bool(await self._variable_now(application))

    # ---- connections ----

    async def _who(self) -> str:
        async with self._as(self._application) as application:
            return str((await _rows(application, "select current_user::text as me"))[0]["me"])

    @asynccontextmanager
    async def _as(self, whom: str) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        """A connection that commits each statement by itself. Raises `NotYet` while the database is away, `Refused` when it says no."""
        if self._missing:
            raise Refused(self._missing)
        try:
            connection = await psycopg.AsyncConnection.connect(
                whom, autocommit=True, row_factory=dict_row, connect_timeout=max(2, int(self._timeout)),
                prepare_threshold=None,  # a pooler gives each transaction another server
            )  # fmt: skip
        except psycopg.OperationalError as no:
            if "authentication" in str(no) or "does not exist" in str(no) or "no password" in str(no):
                raise Refused("the database does not let us in: look at INCIDENT_ROW_SECURITY_* (user, password, database)") from None
            raise NotYet("the database does not answer") from None
        async with connection:
            try:
                async with asyncio.timeout(PATIENCE * self._timeout):
                    yield connection
            except TimeoutError:
                raise NotYet("the database does not answer in time") from None


async def _rows(connection: psycopg.AsyncConnection[Row], asked: Any, **values: Any) -> list[Row]:
    return await (await connection.execute(asked, values)).fetchall()


def _name(relation: str) -> sql.Composed:
    """A relation as `regclass` writes it: with its schema where that is needed, each part in quotes where that is needed."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^.]+', relation)
    return sql.SQL(".").join(sql.Identifier(one[1:-1].replace('""', '"') if one.startswith('"') else one) for one in parts)
