"""The clusters of databases: our own contract, or PostgreSQL itself."""

from pathlib import Path

import httpx

from activities.databases.client import DatabaseClient, DatabasePlane
from activities.databases.platforms.cloud_sql import CloudSql
from activities.databases.platforms.patroni import Patroni
from activities.databases.platforms.platform import Platform
from activities.databases.postgresql.cluster import PostgresCluster
from activities.databases.postgresql.inventory import read
from activities.deploys.google_auth import GoogleAuth
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


def patroni_auth(user: str, password: str) -> httpx.Auth:
    """Patroni's API knows a name and a password (`restapi.authentication`), and no token."""
    return httpx.BasicAuth(user, password)


def _postgres(opening: Opening) -> PostgresCluster:
    settings, password = opening.settings, "" if opening.missing else opening.secret("postgres_password")
    clusters = {} if opening.missing else read(Path(settings.postgres_clusters))

    def at(url: str, auth: httpx.Auth) -> HttpClient:
        http = HttpClient(url, {}, timeout=settings.client_timeout, auth=auth)
        opening.build.stack.push_async_callback(http.close)
        return http

    ours, platforms = Bearer(lambda: password), dict[str, Platform]()
    for name, one in clusters.items():
        if one.patroni:
            named = patroni_auth(settings.postgres_user, password)
            platforms[name] = Patroni([at(url, named) for url in one.patroni])
        elif one.cloud_sql is not None:
            platforms[name] = CloudSql(at("https://sqladmin.googleapis.com", GoogleAuth()), one.cloud_sql.project, one.cloud_sql.instances)
    fences = {name: RestClient(at(one.fence_url, ours)) for name, one in clusters.items() if one.fence_url}
    return PostgresCluster(clusters, settings.postgres_user, password, fences, platforms)


async def _probe(client: DatabaseClient, look: Look) -> Seen:
    found = await client.clusters(look.call)
    return Seen(f"knows {', '.join(one.name for one in found) or 'no cluster'}")


PLANE = ClientInfo("databases", DatabasePlane, DatabasesSettings, _probe)
POSTGRES = ClientInfo("postgresql", PostgresCluster, PostgresSettings, _probe, _postgres)
SYSTEM = SystemInfo(Port("database", DatabaseClient, (PLANE, POSTGRES)))
