"""Cloud Audit Logs: what is logged stands in the project's IAM policy (`auditConfigs`), how long it is kept in the bucket `_Default` of its log.

The bucket has no version. Two events prove it: an entry that we write, and the line that Google itself writes about our reading of the policy,
which there is only where reading is logged.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from activities.access.project_policy import Json, ProjectPolicies
from activities.action import Call, Refused
from activities.audit.level import AuditLevel, AuditOf, AuditReading, Event
from activities.kit.http import HttpClient, outcome
from activities.kit.words.logging import all_of, is_, since_
from activities.kit.words.urls import path

MASK = "auditConfigs,etag"
ALL = "allServices"
KINDS = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")
DATA = frozenset({"DATA_READ", "DATA_WRITE"})
MARKS, ACCESSES = "incident-playbooks", "cloudaudit.googleapis.com%2Fdata_access"
LATELY = timedelta(minutes=10)  # how far back an access of ours counts


class GoogleAudit:
    def __init__(self, policies: ProjectPolicies, http: HttpClient) -> None:
        self._policies, self._http = policies, http

    async def read(self, call: Call, of: AuditOf) -> AuditReading:
        policy, bucket = await self._policies.read(call, of.scope), (await self._http.read(call, _bucket(of.scope))).json()
        kinds = tuple(sorted(one["logType"] for one in _whole(policy)))
        value = AuditLevel(data_access=_logged(policy), retention_days=int(bucket.get("retentionDays", 30)), kinds=kinds)
        return AuditReading(value=value)

    async def write(self, call: Call, of: AuditOf, wanted: AuditLevel, over: AuditReading, epoch: int) -> None:
        """What is kept for longer is so before anything more is logged, and the other way round."""
        if wanted.retention_days > over.value.retention_days:
            await self._keep(call, of, wanted.retention_days)
        if wanted.data_access != over.value.data_access:
            policy = await self._policies.read(call, of.scope)
            await self._policies.write(call, of.scope, {**policy, "auditConfigs": _with(policy, wanted)}, mask=MASK)
        if wanted.retention_days < over.value.retention_days:
            await self._keep(call, of, wanted.retention_days)

    async def since(self, call: Call, of: AuditOf) -> datetime | None:
        """By the log of data accesses; it ends where the log has rolled on."""
        found = await self._entries(call, of, is_("logName", _log(of.scope, ACCESSES)), oldest=True)
        return datetime.fromisoformat(str(found[0]["timestamp"]).replace("Z", "+00:00")) if found else None

    async def tried(self, call: Call, of: AuditOf) -> Event:
        """The entry is known by our key; a later attempt may write it once more, which harms nothing."""
        id = str(uuid.uuid5(uuid.NAMESPACE_URL, call.key))
        entry = {
            "insertId": id,
            "timestamp": call.at.isoformat().replace("+00:00", "Z"),
            "severity": "NOTICE",
            "textPayload": "a test event",
        }
        told = {"logName": _log(of.scope, MARKS), "resource": {"type": "global"}, "entries": [entry]}
        await self._http.write(call, "POST", "/v2/entries:write", json=told)
        mark = await self._entries(call, of, all_of(is_("logName", _log(of.scope, MARKS)), is_("insertId", id)))
        read = all_of(is_("logName", _log(of.scope, ACCESSES)), is_("protoPayload.methodName", "GetIamPolicy"), since_(call.at - LATELY))
        return Event(mark=bool(mark), access=bool(await self._entries(call, of, read)))

    async def days(self, call: Call, project: str) -> int:
        return int((await self._http.read(call, _bucket(project))).json().get("retentionDays", 30))

    async def _keep(self, call: Call, of: AuditOf, days: int) -> None:
        await self._http.write(call, "PATCH", _bucket(of.scope), params={"updateMask": "retentionDays"}, json={"retentionDays": days})

    async def _entries(self, call: Call, of: AuditOf, wanted: str, *, oldest: bool = False) -> list[Json]:
        """One is enough. A page without entries that has a next one says nothing yet."""
        asked: dict[str, Any] = {
            "resourceNames": [f"projects/{of.scope}"], "filter": wanted, "orderBy": f"timestamp {'asc' if oldest else 'desc'}", "pageSize": 1,
        }  # fmt: skip
        for _ in range(100):
            said = outcome(await self._http.ask(call, "POST", "/v2/entries:list", json=asked)).json()
            if said.get("entries") or not said.get("nextPageToken"):
                return list(said.get("entries") or [])
            asked["pageToken"] = said["nextPageToken"]
        return []


def _bucket(project: str) -> str:
    return path("v2", "projects", project, "locations", "global", "buckets", "_Default")


def _log(project: str, name: str) -> str:
    return f"projects/{project}/logs/{name}"


def _whole(policy: Json) -> list[Json]:
    """What is logged of all services together, by kind."""
    return [kind for one in policy.get("auditConfigs", []) if one.get("service") == ALL for kind in one.get("auditLogConfigs", [])]


def _logged(policy: Json) -> bool:
    """Whether accesses to the data of all services are logged, whoever makes them."""
    return {kind["logType"] for kind in _whole(policy) if not kind.get("exemptedMembers")} >= DATA


def _with(policy: Json, wanted: AuditLevel) -> list[Json]:
    """Single services stay as they are. Raises `Refused` where members are exempted: we would not know afterwards who they were."""
    exempted = sum(len(kind.get("exemptedMembers") or ()) for kind in _whole(policy))
    if exempted:
        raise Refused(f"{exempted} members are exempted from the log of all services: end that by hand first, nobody is exempted meanwhile")
    kinds = sorted({*wanted.kinds, *(KINDS if wanted.data_access else ())})
    others = [one for one in policy.get("auditConfigs", []) if one.get("service") != ALL]
    return [*others, *([{"service": ALL, "auditLogConfigs": [{"logType": kind} for kind in kinds]}] if kinds else [])]
