"""The port of a cluster of databases, and the client of our own contract (docs/api/databases.json)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from activities.action import Call, NotYet
from activities.databases.seen import ClusterName, ClusterSeen, Probed
from activities.kit.operation import At, Progress
from activities.kit.rest import Json, RestClient, RestResource
from activities.kit.words.shell import Var
from activities.kit.words.urls import path

BASE, TOKEN = Var("DATABASES_URL"), Var("DATABASES_TOKEN")


def store_of(systems: Mapping[str, str]) -> str:
    """By what a person types on it: our own contract (`plane`), or SQL. `[policy.systems] database` chooses."""
    return "plane" if systems.get("database", "databases") == "databases" else "sql"


class DatabaseResource(RestResource):
    """A setting of a cluster. `store`: the product that it is set on; the commands that people type depend on it."""

    base, token = BASE, TOKEN

    cluster: str
    store: str = "plane"

    def target(self) -> str:
        return "databases/" + "/".join(self.parts()[1:])

    def assets(self) -> tuple[str, ...]:
        return (self.cluster,)

    def in_sql(self, value: Any = None, prior: Any = None) -> tuple[str, ...]:
        """What a person types on the products themselves, to read it (None) or to set it. `prior`: as it was read before, if it was."""
        raise NotImplementedError

    def read_by_hand(self) -> tuple[str, ...]:
        return super().read_by_hand() if self.store == "plane" else self.in_sql()

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        return super().write_by_hand(value, prior) if self.store == "plane" else self.in_sql(value, prior)


class DatabaseClient(Protocol):
    """What every product can be asked. What it cannot do is `Refused`, with the sentence that says who can.

    A setting is read as the fields of its value with `etag`, and `epoch` where there are epochs. A job is started once under a key.
    """

    async def clusters(self, call: Call) -> Sequence[ClusterName]: ...
    async def see(self, call: Call, cluster: str) -> ClusterSeen: ...
    async def probe(self, call: Call, cluster: str) -> tuple[Probed, ...]: ...
    async def setting(self, call: Call, of: DatabaseResource) -> Json: ...
    async def set(self, call: Call, of: DatabaseResource, etag: str, body: Json) -> None: ...
    async def find(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str | None: ...
    async def begin(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str: ...
    async def job(self, call: Call, cluster: str, id: str) -> Progress: ...


STATES = {"running": At.RUNNING, "done": At.DONE, "failed": At.FAILED}


class DatabasePlane(RestClient):
    """Our own contract: a company puts it in front of whatever it has."""

    async def clusters(self, call: Call) -> Sequence[ClusterName]:
        return [ClusterName(**one) for one in (await self.get(call, "/v1/clusters"))["clusters"]]

    async def see(self, call: Call, cluster: str) -> ClusterSeen:
        said = await self.get(call, path("v1", "clusters", cluster))
        vantages = said.pop("vantages")
        return ClusterSeen(**said, probes=await self._probes(call, cluster, vantages))

    async def probe(self, call: Call, cluster: str) -> tuple[Probed, ...]:
        return await self._probes(call, cluster, (await self.get(call, path("v1", "clusters", cluster)))["vantages"])

    async def _probes(self, call: Call, cluster: str, vantages: Sequence[str]) -> tuple[Probed, ...]:
        found: list[Probed] = []
        for vantage in vantages:
            said = await self._http.ask(call, "POST", path("v1", "clusters", cluster, "probes"), json={"vantage": vantage})
            if said.is_success:
                found += [Probed(vantage=vantage, **one) for one in said.json()["nodes"]]
        return tuple(found)

    async def setting(self, call: Call, of: DatabaseResource) -> Json:
        return await self.get(call, of.path)

    async def set(self, call: Call, of: DatabaseResource, etag: str, body: Json) -> None:
        await self.put(call, of.path, etag, body)

    async def find(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str | None:
        found = (await self.get(call, path("v1", "clusters", cluster, "jobs"), key=key))["jobs"]
        return str(found[0]["id"]) if found else None

    async def begin(self, call: Call, cluster: str, kind: str, key: str, body: Json) -> str:
        sent = {"kind": kind, "key": key, "given": body}
        return str((await self._http.write(call, "POST", path("v1", "clusters", cluster, "jobs"), json=sent)).json()["id"])

    async def job(self, call: Call, cluster: str, id: str) -> Progress:
        said = await self.get(call, path("v1", "clusters", cluster, "jobs", id))
        at = STATES.get(said["state"], At.UNKNOWN)
        if at is At.RUNNING:
            raise NotYet(said["says"] or "it has not ended yet")
        return Progress(at=at, says=said["says"], after=cast("Json", said["result"]))
