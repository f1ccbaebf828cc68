"""The client of PostgreSQL: the port's protocol by SQL, PgBouncer's console, Patroni's REST API, and our own contract of a fence."""

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

from activities.action import Call, NotYet, Refused
from activities.databases.client import DatabaseResource
from activities.databases.platforms.platform import Platform
from activities.databases.postgresql import sql
from activities.databases.postgresql.inventory import ClusterAt
from activities.databases.postgresql.pooler import Pooler
from activities.databases.seen import Blocker, ClusterName, ClusterSeen, Node, Probed, Promoter, Says, Vote
from activities.databases.settings import Access, AccessOf, EndpointOf, HaOf, NodeOf
from activities.kit.operation import At, Progress
from activities.kit.rest import Json, RestClient
from activities.kit.words.urls import path

KINDS = ("promote", "snapshot", "replay", "warm", "cancel")
NO_QUEUE = {"queued": 0, "written": 0, "known": 0, "conflicts": 0}


class PostgresCluster:
    """Every call to a server runs in a thread of its own: a server that hangs holds up nobody else."""

    def __init__(
        self,
        clusters: Mapping[str, ClusterAt],
        user: str,
        password: str,
        fences: Mapping[str, RestClient],
        platforms: Mapping[str, Platform],
    ) -> None:
        self._clusters, self._user, self._password = clusters, user, password
        self._fences, self._platforms = fences, platforms

    async def clusters(self, call: Call) -> Sequence[ClusterName]:
        return [ClusterName(name=name, service=one.service) for name, one in self._clusters.items()]

    async def see(self, call: Call, cluster: str) -> ClusterSeen:
        at = self._of(cluster)
        nodes, probes, endpoint, ha = await asyncio.gather(
            asyncio.gather(*(asyncio.to_thread(self._node, at, name) for name in at.nodes)), self.probe(call, cluster),
            asyncio.to_thread(Pooler(at, self._password).endpoint), self._ha(call, cluster),
        )  # fmt: skip
        fenced = {name: (await self._fence(call, cluster, name))["fenced"] for name in at.nodes}
        primaries = [one.lsn for one, _ in nodes if one.says is Says.PRIMARY and one.lsn is not None]
        seen = max(primaries, default=None)
        shown = [_beside(one, seen).model_copy(update={"fenced": fenced[one.id]}) for one, _ in nodes]
        system = at.system_id or next((one.system_id for one in shown if one.id == endpoint["writes_to"] and one.system_id), None)
        return ClusterSeen(
            cluster=cluster, service=at.service, system_id=system or _common(shown), nodes=tuple(shown), probes=probes, ha=ha,
            writes_to=endpoint["writes_to"], reads_from=tuple(endpoint["reads_from"]), primary_lsn=seen,
            mode="synchronous" if any(synchronous for _, synchronous in nodes) else "asynchronous",
            blockers=tuple(one for found in await asyncio.gather(*(asyncio.to_thread(self._blockers, at, one) for one in shown)) for one in found),
            at=datetime.now(UTC),
        )  # fmt: skip

    async def probe(self, call: Call, cluster: str) -> tuple[Probed, ...]:
        at = self._of(cluster)
        tries = [
            asyncio.to_thread(self._tried, at, vantage, name, address)
            for name, node in at.nodes.items() for vantage, address in node.seen_from.items()
        ]  # fmt: skip
        return tuple(await asyncio.gather(*tries))

    async def setting(self, call: Call, of: DatabaseResource) -> Json:
        at = self._of(of.cluster)
        match of:
            case NodeOf(node=node):
                return await self._fence(call, of.cluster, node)
            case AccessOf():
                return await asyncio.to_thread(self._access, at)
            case HaOf():
                return {"paused": (await self._ha(call, of.cluster)).paused, "etag": ""}
            case EndpointOf():
                return await asyncio.to_thread(Pooler(at, self._password).endpoint)
            case _:
                raise Refused(f"PostgreSQL has no {of}")

    async def set(self, call: Call, of: DatabaseResource, etag: str, body: Json) -> None:
        at = self._of(of.cluster)
        match of:
            case NodeOf(node=node):
                if of.cluster in self._fences:
                    await self._fences[of.cluster].put(call, _fence_of(of.cluster, node), etag, body)
                else:
                    await self._platform(of.cluster).set_fence(call, node, etag, body["fenced"])
            case AccessOf():
                await asyncio.to_thread(self._let_write, at, Access.model_validate(body))
            case HaOf():
                await self._platform(of.cluster).pause(call, body["paused"])
            case EndpointOf():
                await asyncio.to_thread(Pooler(at, self._password).point, etag, body["writes_to"], body["reads_from"])
            case _:
                raise Refused(f"PostgreSQL has no {of}")

    async def find(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str | None:
        """By what it has brought about: a node that is a primary was promoted, a snapshot lies in its folder."""
        at = self._of(cluster)
        if kind == "promote" and (platform := self._platforms.get(cluster)) is not None:
            return await platform.promoted(call, body["node"])
        if kind == "promote":
            node, _ = await asyncio.to_thread(self._node, at, body["node"])
            return f"promote/{body['node']}" if node.says is Says.PRIMARY else None
        if kind == "snapshot":
            return f"snapshot/{body['node']}" if (_folder(at, body["node"], key) / "backup_manifest").exists() else None
        return None

    async def begin(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str:
        at = self._of(cluster)
        match kind:
            case "promote" if cluster in self._platforms:
                return await self._platforms[cluster].promote(call, body["node"])
            case "promote":
                if not await asyncio.to_thread(self._server(at, body["node"]).promote):
                    raise NotYet(f"{body['node']} has not ended its recovery yet")
            case "snapshot":
                await asyncio.to_thread(self._snapshot, at, body["node"], key)
            case "cancel":
                await asyncio.to_thread(self._server(at, body["node"]).one, sql.CANCEL, id=body["query"])
            case "warm":
                await asyncio.to_thread(self._warm, at, body["node"])
        return f"{kind}/{body.get('node', cluster)}"

    async def job(self, call: Call, cluster: str, id: str) -> Progress:
        kind, _, name = id.partition("/")
        if kind not in KINDS and (platform := self._platforms.get(cluster)) is not None:
            return await self._seen(self._of(cluster), id, await platform.progress(call, id))
        if kind != "promote":
            return Progress(at=At.DONE, after=NO_QUEUE if kind == "replay" else {})
        node, _ = await asyncio.to_thread(self._node, self._of(cluster), name)
        at = At.DONE if node.says is Says.PRIMARY else At.UNKNOWN if node.says is Says.UNKNOWN else At.RUNNING
        return Progress(at=at, says=f"timeline {node.timeline}", after={"timeline": node.timeline, "lsn": node.lsn})

    async def _seen(self, at: ClusterAt, id: str, progress: Progress) -> Progress:
        """Patroni names a leader before its PostgreSQL has ended its recovery: until then it takes no writes."""
        if progress.at is not At.DONE or id not in at.nodes:
            return progress
        node, _ = await asyncio.to_thread(self._node, at, id)
        if node.says is Says.PRIMARY:
            return progress.model_copy(update={"after": {**progress.after, "timeline": node.timeline, "lsn": node.lsn}})
        return progress.model_copy(update={"at": At.RUNNING, "says": f"{id} leads, and takes no writes yet"})

    # ---- one server at a time, in a thread ----

    def _of(self, cluster: str) -> ClusterAt:
        if cluster not in self._clusters:
            raise Refused(f"there is no cluster {cluster} in the inventory of clusters")
        return self._clusters[cluster]

    def _server(self, at: ClusterAt, node: str, address: str = "") -> sql.Server:
        return sql.Server(address or at.nodes[node].address, self._user, self._password, at.database)

    def _primary(self, at: ClusterAt) -> sql.Server:
        """The one that takes writes. Two of them, or none, have no answer."""
        found = [name for name in at.nodes if self._node(at, name)[0].says is Says.PRIMARY]
        if len(found) != 1:
            raise NotYet(f"{', '.join(found) or 'no node'} says that it is the primary: wanted is one")
        return self._server(at, found[0])

    def _node(self, at: ClusterAt, name: str) -> tuple[Node, bool]:
        """What it says, and whether it waits for standbys; a node that does not answer says nothing."""
        try:
            row = self._server(at, name).row(sql.NODE)
        except DBAPIError:
            return Node(id=name, region=at.nodes[name].region, reachable=False), False
        says = Says.STANDBY if row["standby"] else Says.PRIMARY
        told = {
            key: row[key] for key in ("system_id", "timeline", "lsn", "replayed", "last_commit_at", "streaming", "paused", "connections")
        }
        return Node(id=name, region=at.nodes[name].region, says=says, lag_s=_age(row), **told), bool(row["synchronous"])

    def _tried(self, at: ClusterAt, vantage: str, name: str, address: str) -> Probed:
        met = partial(Probed, vantage=vantage, node=name)
        try:
            self._server(at, name, address).one(sql.WRITE)
        except DBAPIError as error:
            state, why = sql.state_of(error), sql.first_line(error)
            if state == sql.TOO_MANY:
                return met(vote=Vote.BUSY, why=why)
            return met(vote=Vote.UP if state == sql.READ_ONLY or state.startswith("55") else Vote.DOWN, writable=False, why=why)
        return met(vote=Vote.UP, writable=True)

    def _access(self, at: ClusterAt) -> Json:
        primary = self._primary(at)
        writes = bool(primary.one(sql.MAY_WRITE, roles=list(at.writers), schema=at.schema_name))
        sessions = int(primary.one(sql.SESSIONS if writes else sql.WRITTEN, roles=list(at.writers)))
        unfinished = [f"{sessions} sessions have written, and may commit it still"] if sessions and not writes else []
        rights = [one.model_dump() for one in primary.rights(at.writers, at.schema_name)]
        return {"writes": writes, "writing_sessions": sessions, "rights": rights, "unfinished": unfinished, "etag": ""}

    def _let_write(self, at: ClusterAt, access: Access) -> None:
        primary = self._primary(at)
        if not access.writes:
            primary.revoke(at.writers, at.schema_name)
        elif access.rights:
            primary.grant(access.rights, at.schema_name)
        else:
            raise Refused(f"nobody has noted which rights {', '.join(at.writers)} had: give them back by hand, and no more")

    def _blockers(self, at: ClusterAt, node: Node) -> list[Blocker]:
        if not node.reachable or node.says is not Says.STANDBY:
            return []
        return [
            Blocker(id=row["id"], node=node.id, for_s=float(row["for_s"]), what=row["what"])
            for row in self._server(at, node.id).rows(sql.BLOCKERS)
        ]

    def _warm(self, at: ClusterAt, node: str) -> None:
        server = self._server(at, node)
        for row in server.rows(sql.TABLES, schema=at.schema_name):
            server.count(next(iter(row.values())))

    def _snapshot(self, at: ClusterAt, node: str, key: str) -> None:
        """A base backup with its log. Each try writes beside, in a folder of its own: a late one never writes into what another has begun."""
        folder, (host, _, port) = _folder(at, node, key), at.nodes[node].address.partition(":")
        beside = folder.with_name(f"{folder.name}.{uuid4().hex[:8]}.part")
        program = str(Path(at.programs) / "pg_basebackup") if at.programs else "pg_basebackup"
        words = [program, "-h", host, "-p", port or "5432", "-U", self._user, "-D", str(beside), "-X", "stream", "-c", "fast", "--no-sync"]
        ended = subprocess.run(words, env={"PGPASSWORD": self._password}, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        if ended.returncode:
            shutil.rmtree(beside, ignore_errors=True)
            raise Refused(f"the snapshot of {node} has failed: {ended.stderr.strip().splitlines()[-1:]}")
        try:
            beside.rename(folder)
        except OSError:  # another try has kept one meanwhile: that one counts
            shutil.rmtree(beside, ignore_errors=True)
            if not (folder / "backup_manifest").exists():
                raise

    async def _ha(self, call: Call, cluster: str) -> Promoter:
        """Without a platform nothing promotes by itself: that is as good as paused."""
        platform = self._platforms.get(cluster)
        return Promoter(name="none", paused=True) if platform is None else await platform.state(call)

    def _platform(self, cluster: str) -> Platform:
        if cluster not in self._platforms:
            raise Refused(
                f"nothing runs {cluster} that could be told so: neither Patroni nor Cloud SQL is named in the inventory of clusters"
            )
        return self._platforms[cluster]

    async def _fence(self, call: Call, cluster: str, node: str) -> Json:
        if cluster in self._fences:
            return await self._fences[cluster].get(call, _fence_of(cluster, node))
        found = await self._platform(cluster).fence(call, node)
        if found is None:
            raise Refused(f"nothing is named that can fence {node}: fence_url in the inventory of clusters")
        return found


def _age(row: Any) -> float | None:
    """How old what it answers is. One that streams and has replayed everything is as old as nothing."""
    if row["replayed"] == row["lsn"] and row["streaming"]:
        return 0.0
    return None if row["last_commit_at"] is None else max(0.0, (row["now"] - row["last_commit_at"]).total_seconds())


def _beside(node: Node, seen: int | None) -> Node:
    behind = None if seen is None or node.replayed is None else max(0, seen - node.replayed)
    return node.model_copy(update={"lag_bytes": behind})


def _common(nodes: Sequence[Node]) -> str | None:
    """The system id that most of them have, where the one that writes are sent to does not answer; a tie is unknown."""
    known = [one.system_id for one in nodes if one.system_id]
    counted = sorted({known.count(one): one for one in known}.items(), reverse=True)
    same = {one for one in known if known.count(one) == counted[0][0]} if counted else set()
    return next(iter(same)) if len(same) == 1 else None


def _fence_of(cluster: str, node: str) -> str:
    return path("v1", "clusters", cluster, "nodes", node, "fence")


def _folder(at: ClusterAt, node: str, key: str) -> Path:
    if at.snapshots is None:
        raise Refused("no folder for snapshots is named in the inventory of clusters")
    return at.snapshots / f"{node}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
