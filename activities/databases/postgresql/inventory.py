"""The file that says which clusters there are: nodes, from where they are seen, the pooler, and what fences a node. No secret stands in it."""

import tomllib
from pathlib import Path

from pydantic import Field

from activities.values import Value


class NodeAt(Value):
    """`seen_from`: by which address each vantage point reaches it; its network is another than that of the others."""

    region: str = ""
    address: str  # host:port
    seen_from: dict[str, str] = Field(min_length=1)


class PoolerAt(Value):
    """PgBouncer: its console, and the file that its `[databases]` are included from."""

    console: str  # host:port
    user: str = "pgbouncer"
    databases: Path
    writes: str  # the name of the database that writes are sent by
    reads: str = ""  # and of that for reads, where there is one


class CloudSqlAt(Value):
    """`instances`: our names of the nodes → those of the instances."""

    project: str
    instances: dict[str, str]


class ClusterAt(Value):
    """A cluster. `writers`: the roles of the application, whose right to write is revoked."""

    service: str
    database: str
    system_id: str = ""
    writers: tuple[str, ...]
    schema_name: str = "public"
    nodes: dict[str, NodeAt]
    pooler: PoolerAt
    fence_url: str = ""  # of our contract's fence: what stops a node, and keeps it stopped; Cloud SQL does that itself
    patroni: tuple[str, ...] = ()  # its REST API on each node; without it and Cloud SQL nothing promotes by itself
    cloud_sql: CloudSqlAt | None = None
    programs: str = ""  # the folder of pg_basebackup; empty: on the path
    snapshots: Path | None = None  # in another failure domain than the data


def read(file: Path) -> dict[str, ClusterAt]:
    """Raises `OSError` and `ValueError` with what is wrong with it."""
    return {name: ClusterAt.model_validate(told) for name, told in tomllib.loads(file.read_text()).items()}
