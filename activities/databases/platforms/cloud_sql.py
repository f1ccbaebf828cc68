"""Cloud SQL Admin (cloud.google.com/sql/docs/postgres/admin-api/rest/v1): replicas are promoted by operations, a primary is stopped by its settings.

A request has no id of ours: what an instance is, and which operations it has, is looked at first.
"""

from collections.abc import Mapping

from activities.action import Call
from activities.databases.seen import Promoter
from activities.kit.http import HttpClient
from activities.kit.operation import At, Progress
from activities.kit.rest import Json
from activities.kit.words.urls import path

STATES = {"DONE": At.DONE, "PENDING": At.RUNNING, "RUNNING": At.RUNNING}
PRIMARY, PROMOTE = "CLOUD_SQL_INSTANCE", "PROMOTE_REPLICA"


class CloudSql:
    """`instances`: our names of the nodes → those of the instances."""

    def __init__(self, http: HttpClient, project: str, instances: Mapping[str, str]) -> None:
        self._http, self._project, self._instances = http, project, instances

    async def state(self, call: Call) -> Promoter:
        """A replica is promoted by nobody but us: that is as good as paused. A failover to a zone's standby keeps the instance."""
        primary = [name for name in self._instances if (await self._instance(call, name))["instanceType"] == PRIMARY]
        return Promoter(name="cloud sql", paused=True, leader=primary[0] if len(primary) == 1 else None)

    async def pause(self, call: Call, paused: bool) -> None:
        """Nothing to do: there is nothing that promotes a replica."""

    async def promoted(self, call: Call, node: str) -> str | None:
        if (await self._instance(call, node))["instanceType"] == PRIMARY:
            return f"instance/{node}"
        found = (await self._http.read(call, self._path("operations"), instance=self._instances[node])).json().get("items", [])
        going = [one for one in found if one["operationType"] == PROMOTE and one["status"] != "DONE"]
        return str(going[0]["name"]) if going else None

    async def promote(self, call: Call, node: str) -> str:
        """`failover`: the old primary comes back as a replica, and not as a primary of its own."""
        to = self._path("instances", self._instances[node], "promoteReplica")
        said = await self._http.write(call, "POST", to, params={"failover": "true"}, json={})
        return str(said.json()["name"])

    async def progress(self, call: Call, id: str) -> Progress:
        kind, _, node = id.partition("/")
        if kind == "instance":
            return Progress(at=At.DONE, says=f"{node} is an instance of its own", after={})
        said = (await self._http.read(call, self._path("operations", id))).json()
        errors = [one.get("message", one.get("code", "")) for one in said.get("error", {}).get("errors", [])]
        if errors:
            return Progress(at=At.FAILED, says="; ".join(errors))
        return Progress(at=STATES.get(said["status"], At.UNKNOWN), says=f"operation {id}", after={"operation": id})

    async def fence(self, call: Call, node: str) -> Json | None:
        """An instance whose activation policy is NEVER is stopped, and stays so."""
        settings = (await self._instance(call, node))["settings"]
        return {"fenced": settings["activationPolicy"] == "NEVER", "etag": str(settings["settingsVersion"])}

    async def set_fence(self, call: Call, node: str, etag: str, fenced: bool) -> None:
        """Under the version of the settings that was read: Cloud SQL refuses an older one."""
        body = {"settings": {"settingsVersion": etag, "activationPolicy": "NEVER" if fenced else "ALWAYS"}}
        await self._http.write(call, "PATCH", self._path("instances", self._instances[node]), json=body)

    async def _instance(self, call: Call, node: str) -> Json:
        said: Json = (await self._http.read(call, self._path("instances", self._instances[node]))).json()
        return said

    def _path(self, *parts: str) -> str:
        return path("v1", "projects", self._project, *parts)
