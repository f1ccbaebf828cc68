"""The clusters of databases: our own contract, or PostgreSQL itself."""

from pathlib import Path

from activities.databases.client import DatabaseClient, DatabasePlane
from activities.databases.postgresql.cluster import PostgresCluster
from activities.databases.postgresql.inventory import read
from activities.kit.http import Bearer, HttpClient
from activities.kit.rest import RestClient
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Port, Seen, SystemInfo, secret, setting


class DatabasesSettings(ClientSettings):
    databases_url: str = setting(
        about="our own contract of database clusters", needed=True, example="https://databases.example.com", practice="{url}/databases"
    )
    databases_token: str = secret()


class PostgresSettings(ClientSettings):
    postgres_clusters: str = setting(
        about="the file that names clusters, nodes, poolers and fences (docs/deployment.md)",
        needed=True,
        example="/etc/incident/clusters.toml",
    )
    postgres_user: str = setting("incident", about="may see statistics, signal backends, promote, and grant what the application has")
    postgres_password: str = secret()


def _postgres(opening: Opening) -> PostgresCluster:
    settings, password = opening.settings, "" if opening.missing else opening.secret("postgres_password")
    clusters = {} if opening.missing else read(Path(settings.postgres_clusters))

    def at(url: str) -> HttpClient:
        http = HttpClient(url, {}, timeout=settings.client_timeout, auth=Bearer(lambda: password))
        opening.build.stack.push_async_callback(http.close)
        return http

    fences = {name: RestClient(at(one.fence_url)) for name, one in clusters.items()}
    patroni = {name: [at(url) for url in one.patroni] for name, one in clusters.items() if one.patroni}
    return PostgresCluster(clusters, settings.postgres_user, password, fences, patroni)


async def _probe(client: DatabaseClient, look: Look) -> Seen:
    found = await client.clusters(look.call)
    return Seen(f"knows {', '.join(one.name for one in found) or 'no cluster'}")


PLANE = ClientInfo("databases", DatabasePlane, DatabasesSettings, _probe)
POSTGRES = ClientInfo("postgresql", PostgresCluster, PostgresSettings, _probe, _postgres)
SYSTEM = SystemInfo(Port("database", DatabaseClient, (PLANE, POSTGRES)))
