"""Who can look into the database: `[policy.systems] row_security` in organisation.toml chooses our own plane, or PostgreSQL itself."""

from psycopg.conninfo import make_conninfo

from activities.row_security.plane import TenancyDatabase
from activities.row_security.postgres import PostgresCatalogue
from activities.row_security.row_security import IntegrityOf, RowSecurityStore
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, Unused, secret, setting
from activities.tenancy.system import TenancySettings


class RowSecuritySettings(ClientSettings):
    row_security_address: str = setting(
        about="of the database, for a role that reads the catalogue and nothing else", needed=True,
        example="postgresql://auditor@db.example.com/app?sslmode=verify-full",
    )  # fmt: skip
    row_security_password: str = secret("of that role", needed=False)
    row_security_application: str = setting(
        about="of the same database, by the very role and the very pooler that the application comes by", needed=True,
        example="postgresql://app@pooler.example.com:6432/app?sslmode=verify-full",
    )  # fmt: skip
    row_security_application_password: str = secret("of that role", needed=False)
    row_security_column: str = setting("tenant_id", "the column that names the tenant")
    row_security_variable: str = setting("app.tenant_id", "the setting by which the application says whose turn it is")


def _postgres(opening: Opening) -> PostgresCatalogue:
    given = opening.settings

    def at(name: str) -> str:
        if opening.missing:
            return ""
        password = opening.secret(f"{name}_password") if getattr(given, f"{name}_password") else ""
        address = given.row_security_address if name == "row_security" else given.row_security_application
        return make_conninfo(address, **({"password": password} if password else {}))

    return PostgresCatalogue(
        at("row_security"), at("row_security_application"), tenant=given.row_security_column, variable=given.row_security_variable,
        timeout=given.client_timeout, missing=opening.missing,
    )  # fmt: skip


async def _probe(store: TenancyDatabase, look: Look) -> Seen:
    service = next(iter(look.catalogue.services), "")
    if not service:
        raise Unused("organisation.toml names no service")
    return Seen((await store.integrity(look.call, IntegrityOf(service=service))).summary)


async def _probe_postgres(database: PostgresCatalogue, look: Look) -> Seen:
    return Seen(f"the application comes as {await database.who_may(look.call)}")


PLANE = ClientInfo("tenancy_database", TenancyDatabase, TenancySettings, _probe)
POSTGRES = ClientInfo("postgresql_catalogue", PostgresCatalogue, RowSecuritySettings, _probe_postgres, _postgres)
SYSTEM = SystemInfo(Port("row_security", RowSecurityStore, (PLANE, POSTGRES)))
