"""Row security of the database (A.5 M7): what is between tenants by the catalogue, and what the application's own role really sees.

The owner of a table and roles with BYPASSRLS pass by every policy, and a session variable outlives its transaction in a pool: so nothing is
proven by an administrator's query. Only rows of canary tenants are counted, never read.
"""

from typing import Protocol

from activities.action import Call, System, Value, action
from activities.kit.words.shell import Var, command
from activities.tenancy.plane import TenancyLook

ADDRESS, APPLICATION = Var("ROW_SECURITY_ADDRESS"), Var("ROW_SECURITY_APPLICATION")
POSTGRESQL = "postgresql_catalogue"
OPEN_TABLES = (
    "select c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner) from pg_class c join pg_attribute t "
    "on t.attrelid = c.oid and t.attname = 'tenant_id' where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)"
)
BYPASSING = "select rolname from pg_roles where rolcanlogin and (rolbypassrls or rolsuper)"
AS_A_TENANT = (
    "begin; select set_config('app.tenant_id', :'viewer', true); select tenant_id, count(*) from documents group by 1; rollback; "
    "select current_setting('app.tenant_id', true)"
)


class Hole(Value):
    """A way past row security: what it is, and the table, view, function or role that it is at."""

    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}"


class RowSecurityAudit(Value):
    """What the catalogue says. `unknown`: what cannot be read or judged: it is asked about, and never taken for well."""

    role: str
    owner: bool
    bypassrls: bool
    tables: tuple[str, ...]
    holes: tuple[Hole, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return bool(self.tables) and not (self.holes or self.owner or self.bypassrls)

    @property
    def summary(self) -> str:
        said = [f"row security of {len(self.tables)} tables, as {self.role}: {len(self.holes)} holes"]
        said += [str(one) for one in self.holes]
        said += ["the application owns a table"] if self.owner else []
        said += ["the application passes by row security"] if self.bypassrls else []
        said += [f"cannot be read: {', '.join(self.unknown)}"] if self.unknown else []
        return "; ".join(said)


class SeenRows(Value):
    """A tenant sees rows of another one. `viewer` empty: nobody's tenant was set."""

    viewer: str
    owner: str
    table: str
    rows: int


class RowSecurityProof(Value):
    """What the application role sees. `read`: how many pairs were tried; `transaction_local`: nothing of a tenant outlives its transaction."""

    role: str
    read: int
    seen: tuple[SeenRows, ...] = ()
    written: tuple[str, ...] = ()  # where a tenant could move its rows to another
    transaction_local: bool = True
    unknown: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return bool(self.read) and self.transaction_local and not (self.seen or self.written or self.unknown)

    @property
    def tables(self) -> tuple[str, ...]:
        """Everything that lets something cross."""
        return tuple(dict.fromkeys([*(one.table for one in self.seen), *self.written]))

    @property
    def summary(self) -> str:
        said = [
            f"as {self.role}: {len(self.seen)} of {self.read} cross reads see rows"
            + (f" of {', '.join(self.tables)}" if self.tables else "")
        ]
        said += [f"rows can be moved to another tenant in {', '.join(self.written)}"] if self.written else []
        said += [] if self.transaction_local else ["a tenant outlives its transaction"]
        said += [f"nobody can say: {', '.join(self.unknown)}"] if self.unknown else []
        return "; ".join(said)


class Integrity(Value):
    """Rows that hang on another tenant's rows, by table."""

    rows: dict[str, int]
    unknown: tuple[str, ...] = ()

    @property
    def broken(self) -> int:
        return sum(self.rows.values())

    @property
    def summary(self) -> str:
        said = f"{self.broken} rows hang on another tenant's rows ({', '.join(self.rows) or 'no table'} looked at)"
        return said + (f"; not looked at: {', '.join(self.unknown)}" if self.unknown else "")


class RowSecurityLook(TenancyLook):
    """`store`: the product that is asked, where it is not our own plane."""

    store: str = ""

    def by_hand(self) -> tuple[str, ...]:
        return self.in_psql() if self.store == POSTGRESQL else super().by_hand()

    def in_psql(self) -> tuple[str, ...]:
        """The same, on the database itself."""
        return (command("psql", ADDRESS, "-c", OPEN_TABLES), command("psql", ADDRESS, "-c", BYPASSING))


class AuditOf(
    RowSecurityLook,
    effect="audit row security of {service}: tables, policies, roles, views, functions",
    path="services/{service}/row-security",
):
    pass


class ProofOf(
    RowSecurityLook,
    effect="try as the application role of {service} to see another canary tenant's rows",
    path="services/{service}/row-security/proof",
):
    """`tenants`: the canaries who try."""

    tenants: tuple[str, ...]

    def in_psql(self) -> tuple[str, ...]:
        viewer = self.tenants[0] if self.tenants else "canary"
        return (command("psql", APPLICATION, "-v", f"viewer={viewer}", "-c", AS_A_TENANT),)


class IntegrityOf(
    RowSecurityLook,
    effect="look for rows of {service} that hang on another tenant's rows",
    path="services/{service}/row-security/integrity",
):
    pass


class RowSecurityStore(Protocol):
    """Who can look into the database: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def audit(self, call: Call, order: AuditOf) -> RowSecurityAudit: ...

    async def prove(self, call: Call, order: ProofOf) -> RowSecurityProof: ...

    async def integrity(self, call: Call, order: IntegrityOf) -> Integrity: ...


class RowSecurity(System):
    def __init__(self, store: RowSecurityStore) -> None:
        self._store = store

    @action("row_security.audit")
    async def audit(self, order: AuditOf, call: Call) -> RowSecurityAudit:
        """Every table with a tenant, the policies on it, whoever passes by them."""
        return await self._store.audit(call, order)

    @action("row_security.prove")
    async def prove(self, order: ProofOf, call: Call) -> RowSecurityProof:
        """As the role that the application comes by, inside a transaction, and after it."""
        return await self._store.prove(call, order)

    @action("row_security.integrity")
    async def integrity(self, order: IntegrityOf, call: Call) -> Integrity:
        """Tenant by tenant, along the foreign keys."""
        return await self._store.integrity(call, order)
