"""`/backups`: the backups of databases, and restoring them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from practice.databases.cluster import Databases, Restore
from practice.faces.databases.base import cluster_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.world.state import JSON

FACE = own_api("backups", "Backups of databases: which there are, whether they were ever restored, and restoring them into new instances.")
ROWS = 120_000


class ByKey(Query):
    key: str | None = None


class BackupShown(Shown):
    id: str
    at: str
    domain: str
    restore_tested_at: str | None
    covers_until: str | None


class BackupsShown(Shown):
    backups: list[BackupShown]


class BackedUp(Shown):
    clusters: list[str]


class Restoring(Ask):
    """`test`: into an instance that is thrown away; `restore`: into a new one, as it was at an instant."""

    key: str
    backup: str
    kind: Literal["test", "restore"]
    until: str | None = None


class RestoreShown(Shown):
    id: str
    key: str
    backup: str
    kind: str
    state: str
    says: str
    instance: str
    rows: int = Field(description="that could be read from it")


class Restores(Shown):
    restores: list[RestoreShown]


@FACE.reads("clusters", "/backups/v1/clusters", models=RouteModels(shows=BackedUp))
def backed_up(call: Call) -> Reply:
    """Whose backups there are."""
    return Reply({"clusters": list(call.state.part(Databases).clusters)})


@FACE.reads("list", "/backups/v1/clusters/{cluster}/backups", models=RouteModels(shows=BackupsShown))
def list_backups(call: Call) -> Reply:
    """The backups of a cluster, and whether they were ever restored."""
    stamp = call.world.clock.stamp
    rows = [
        {"id": one.id, "at": stamp(one.at), "domain": one.domain, "covers_until": call.stamp(),
         "restore_tested_at": None if one.restore_tested_at is None else stamp(one.restore_tested_at)}
        for one in cluster_of(call).backups.values()
    ]  # fmt: skip
    return Reply({"backups": rows})


@FACE.reads("restores.list", "/backups/v1/clusters/{cluster}/restores", models=RouteModels(query=ByKey, shows=Restores))
def list_restores(call: Call) -> Reply:
    """What was restored, the one with a key."""
    key = call.asked(ByKey).key
    return Reply({"restores": [_restored(one) for one in cluster_of(call).restores.values() if key in (None, one.key)]})


@FACE.reads("restores.get", "/backups/v1/clusters/{cluster}/restores/{id}", models=RouteModels(shows=RestoreShown))
def get_restore(call: Call) -> Reply:
    """How far it is, and what could be read from it."""
    found = cluster_of(call).restores.get(call.path["id"])
    if found is None:
        raise call.refuse(404, f"there is no restore {call.path['id']}")
    return Reply(_restored(found))


@FACE.writes("restores.start", "/backups/v1/clusters/{cluster}/restores", models=RouteModels(asks=Restoring, shows=RestoreShown))
def start_restore(call: Call) -> Reply:
    """Restore a backup. The same key again shows what there is."""
    cluster, wanted = cluster_of(call), call.ask(Restoring)
    there = next((one for one in cluster.restores.values() if one.key == wanted.key), None)
    backup = cluster.backups.get(wanted.backup)
    if backup is None:
        raise call.invalid(f"there is no backup {wanted.backup}")
    if there is None:
        number = call.world.number()
        there = Restore(f"restore-{number}", wanted.key, backup.id, wanted.kind, instance=f"{cluster.name}-{number}")
        there.rows = ROWS if backup.restores else 0
        if backup.restores:
            backup.restore_tested_at = call.now
        cluster.restores[there.id] = there
    call.did(f"backups/{cluster.name}/{backup.id}", None, there.id)
    return Reply(_restored(there))


def _restored(one: Restore) -> JSON:
    return {"id": one.id, "key": one.key, "backup": one.backup, "kind": one.kind, "state": one.state, "says": one.says,
            "instance": one.instance, "rows": one.rows}  # fmt: skip
