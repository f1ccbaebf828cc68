"""The clusters of databases: our own contract, PostgreSQL itself, or Cloud SQL."""

from activities.databases.client import DatabaseClient, DatabasePlane
from activities.systems import ClientInfo, ClientSettings, Look, Port, Seen, SystemInfo, secret, setting


class DatabasesSettings(ClientSettings):
    databases_url: str = setting(
        about="our own contract of database clusters", needed=True, example="https://databases.example.com", practice="{url}/databases"
    )
    databases_token: str = secret()


async def _probe(client: DatabaseClient, look: Look) -> Seen:
    found = await client.clusters(look.call)
    return Seen(f"knows {', '.join(one.name for one in found) or 'no cluster'}")


PLANE = ClientInfo("databases", DatabasePlane, DatabasesSettings, _probe)
SYSTEM = SystemInfo(Port("database", DatabaseClient, (PLANE,)))
