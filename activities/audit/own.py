"""Any log of accesses, by our own contract (docs/api/audit.json)."""

from datetime import datetime

from activities.action import Call
from activities.audit.level import AuditLevel, AuditOf, AuditReading, Event
from activities.kit.rest import RestClient
from activities.kit.words.urls import path


class OwnAuditLog(RestClient):
    async def read(self, call: Call, of: AuditOf) -> AuditReading:
        said = await self.get(call, of.path)
        value = AuditLevel(data_access=said["data_access"], retention_days=said["retention_days"])
        return AuditReading(value=value, version=said["etag"], epoch=said["epoch"], changed_by=said["changed_by"])

    async def write(self, call: Call, of: AuditOf, wanted: AuditLevel, over: AuditReading, epoch: int) -> None:
        body = {"epoch": epoch, "data_access": wanted.data_access, "retention_days": wanted.retention_days}
        await self.put(call, of.path, over.version, body)

    async def since(self, call: Call, of: AuditOf) -> datetime | None:
        said = (await self.get(call, path("v1", "scopes", of.scope, "entries")))["since"]
        return datetime.fromisoformat(said) if said else None

    async def tried(self, call: Call, of: AuditOf) -> Event:
        """The key makes the event once."""
        events = path("v1", "scopes", of.scope, "test-events")
        made = (await self._http.write(call, "POST", events)).json()["id"]
        said = await self.get(call, path("v1", "scopes", of.scope, "test-events", made))
        return Event(mark=said["arrived"])
