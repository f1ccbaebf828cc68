"""A database of tenants on a real PostgreSQL, sound at first; and ways past its row security, each planted by itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg.conninfo import make_conninfo

from activities.row_security.postgres import PostgresCatalogue
from practice.stores.postgres import PASSWORD
from tests.stores.databases import database, server

CANARIES = ("canary-eu-1", "canary-eu-2")
TENANTS = (*CANARIES, "amber-steel")
SOUND = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'rs_owner') then create role rs_owner login password '{password}'; end if;
  if not exists (select from pg_roles where rolname = 'rs_app') then create role rs_app login password '{password}'; end if;
  if not exists (select from pg_roles where rolname = 'rs_audit') then create role rs_audit login password '{password}'; end if;
end $$;
alter role rs_app nobypassrls nosuperuser;
revoke rs_owner from rs_app;
grant all on schema public to rs_owner;
set role rs_owner;
create table documents (id text primary key, tenant_id text not null, body text);
create table comments (id text primary key, tenant_id text not null, document text references documents (id), body text);
alter table documents enable row level security;
alter table documents force row level security;
alter table comments enable row level security;
alter table comments force row level security;
create policy own on documents using (tenant_id = current_setting('app.tenant_id', true));
create policy own on comments using (tenant_id = current_setting('app.tenant_id', true));
grant select, insert, update, delete on documents, comments to rs_app;
grant select on documents, comments to rs_audit;
reset role;
"""
PLANTED: dict[str, tuple[str, ...]] = {
    "row security is not enabled": ("alter table documents disable row level security",),
    "row security is not forced, and the application owns the table": (
        "alter table documents no force row level security", "alter table documents owner to rs_app",
    ),
    "the application has BYPASSRLS": ("alter role rs_app bypassrls",),
    "the application may become the owner": ("alter table documents no force row level security", "grant rs_owner to rs_app"),
    "a policy that lets everybody through": ("create policy everybody on documents using (true)",),
    "a policy that lets everybody through while no tenant is set": (
        "drop policy own on documents",
        "create policy own on documents using (tenant_id = current_setting('app.tenant_id', true) or current_setting('app.tenant_id', true) is null)",
    ),
    "a policy that takes rows for anybody": (
        "drop policy own on documents",
        "create policy own on documents using (tenant_id = current_setting('app.tenant_id', true)) with check (true)",
    ),
    "a view with its owner's rights": ("create view all_documents as select * from documents", "grant select on all_documents to rs_app"),
    "a materialized view": ("create materialized view kept as select * from documents", "grant select on kept to rs_app"),
    "a function with its owner's rights": (
        "create function everything() returns setof documents language sql security definer as 'select * from documents'",
        "grant execute on function everything() to rs_app",
    ),
    "a tenant that is set for the role": (f"alter role rs_app set app.tenant_id = '{CANARIES[0]}'",),
}  # fmt: skip
BY_AUDIT_ALONE = {"a function with its owner's rights"}  # nobody can know what a function is for by calling it


@dataclass
class Planted:
    """A database, and who comes to it."""

    name: str

    def as_owner(self, *statements: str) -> None:
        with server().connect(database=self.name) as owner:
            for one in statements:
                owner.execute(one.encode())

    def at(self, user: str) -> str:
        return make_conninfo(f"host=127.0.0.1 port={server().port} user={user} dbname={self.name}", password=PASSWORD)

    def catalogue(self, application: str = "rs_app") -> PostgresCatalogue:
        return PostgresCatalogue(self.at("rs_audit"), self.at(application), tenant="tenant_id", variable="app.tenant_id", timeout=4.0)


@contextmanager
def planted(*holes: str, more: Callable[[Planted], None] | None = None) -> Iterator[Planted]:
    """A sound database with these holes. Roles are the server's: what was given to them is taken back."""
    there = Planted(database())
    there.as_owner(SOUND.format(password=PASSWORD))
    for tenant in TENANTS:
        there.as_owner(
            f"insert into documents values ('{tenant}.1', '{tenant}', 'private'), ('{tenant}.2', '{tenant}', 'private')",
            f"insert into comments values ('{tenant}.c', '{tenant}', '{tenant}.1', 'private')",
        )
    try:
        for hole in holes:
            there.as_owner(*PLANTED[hole])
        if more:
            more(there)
        yield there
    finally:
        there.as_owner("alter role rs_app nobypassrls", "alter role rs_app reset all", "revoke rs_owner from rs_app")
