"""Requests that would succeed: of clusters of databases, their backups, Patroni and Cloud SQL."""

from typing import Any

from practice.world.stage import Stage
from tests.practice.examples import Example


async def database_examples(stage: Stage) -> dict[str, Example]:
    """Writes to the cluster `main`."""
    main = "/databases/v1/clusters/main"
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "fence": (f"{main}/nodes/db-2/fence", {"fenced": True}),
        "access": (f"{main}/access", {"writes": False}),
        "endpoint": (f"{main}/endpoint", {"writes_to": "db-1", "reads_from": ["db-3"]}),
        "ha": (f"{main}/ha", {"paused": True}),
    }
    settings = {
        f"databases.{name}.put": Example("PUT", path, {"epoch": 1, **body}, {"If_Match": (await stage.must("GET", path))["etag"]})
        for name, (path, body) in wanted.items()
    }
    sql, stopped = "/sqladmin/v1/projects/acme/instances", {"settings": {"settingsVersion": "1", "activationPolicy": "NEVER"}}
    restore = {"key": "k", "backup": "b-1", "kind": "test"}
    return {
        **settings,
        "databases.jobs.start": Example("POST", f"{main}/jobs", {"kind": "promote", "key": "k", "given": {"node": "db-2"}}),
        "backups.restores.start": Example("POST", "/backups/v1/clusters/main/restores", restore),
        "patroni.config.patch": Example("PATCH", "/patroni/config", {"pause": True}),
        "patroni.failover": Example("POST", "/patroni/failover", {"candidate": "db-2"}),
        "patroni.switchover": Example("POST", "/patroni/switchover", {"leader": "db-1", "candidate": "db-2"}),
        "cloud_sql.instances.patch": Example("PATCH", f"{sql}/db-2", stopped),
        "cloud_sql.instances.promoteReplica": Example("POST", f"{sql}/db-2/promoteReplica", {}),
        "cloud_sql.instances.switchover": Example("POST", f"{sql}/db-2/switchover", {}),
    }
