"""What is logged of accesses to data, and for how long (spec §9.4 step 5, A.4 M6).

Proven by an event of ours that arrives in the log: a setting that says so proves nothing. What is logged more, or kept longer, stays so.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol, Self

from activities.action import Call, NotYet, Refused, Risk, Role
from activities.kit.rest import Json, RestResource
from activities.kit.setting import Change, Reading, Restore, Setting, SettingValue
from activities.kit.words.shell import Var, command, comment, gcloud, pipe
from activities.values import Value

ARRIVES = timedelta(seconds=10)  # how soon it is looked again: a log may take a minute to show what has come
LONGEST = 3650  # days that Google takes
SAVED = "policy-before.json"


class AuditOf(RestResource, path="scopes/{scope}/level", called="the audit log of {scope}"):
    """A project, or what our own contract calls a scope. `store`: who logs."""

    base: ClassVar[Var] = Var("AUDIT_URL")
    token: ClassVar[Var] = Var("AUDIT_TOKEN")

    scope: str
    store: Literal["google", "own"] = "google"

    def target(self) -> str:
        return f"audit/{self.scope}"

    def body(self, value: Any) -> Json:
        return {"data_access": value.data_access, "retention_days": value.retention_days}

    def read_by_hand(self) -> tuple[str, ...]:
        if self.store == "own":
            return super().read_by_hand()
        bucket = gcloud("logging", "buckets", "describe", "_Default", "--location=global", f"--project={self.scope}")
        return (gcloud("projects", "get-iam-policy", self.scope, "--format=json(auditConfigs)"), bucket)

    def write_by_hand(self, value: Any, prior: Any = None) -> tuple[str, ...]:
        if self.store == "own":
            return super().write_by_hand(value, prior)
        days = value.retention_days
        which = "with DATA_READ and DATA_WRITE of allServices" if value.data_access else "without DATA_READ and DATA_WRITE of allServices"
        return (
            pipe(gcloud("projects", "get-iam-policy", self.scope, "--format=json"), command("tee", SAVED)),
            comment(f"edit auditConfigs in {SAVED}: {which}, keep the etag; then"), gcloud("projects", "set-iam-policy", self.scope, SAVED),
            gcloud("logging", "buckets", "update", "_Default", "--location=global", f"--project={self.scope}", f"--retention-days={days}"),
        )  # fmt: skip


class AuditLevel(SettingValue):
    """`at_least`: more is as good, and is never taken away; what was read is exactly that. `kinds`: what is logged, by the store's own names."""

    volatile: ClassVar[frozenset[str]] = frozenset({"kinds"})

    data_access: bool = False
    retention_days: int = 30
    at_least: bool = False
    kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        logged = "accesses to data are logged" if self.data_access else "accesses to data are not logged"
        return f"{logged}, kept for {self.retention_days} days"

    def same(self, other: Self) -> bool:
        enough = self.at_least and other.retention_days > self.retention_days
        return self.data_access == other.data_access and (enough or self.retention_days == other.retention_days)

    def met(self, now: Self) -> bool:
        return now.data_access >= self.data_access and now.retention_days >= self.retention_days

    def between(self, before: Self, now: Self) -> bool:
        """Two writes: what is logged, and how long it is kept."""
        return now.data_access in (before.data_access, self.data_access) and now.retention_days in (
            before.retention_days,
            self.retention_days,
        )

    def both(self, other: Self) -> Self:
        days = max(self.retention_days, other.retention_days)
        return type(self)(data_access=self.data_access or other.data_access, retention_days=days, at_least=self.at_least or other.at_least)

    def effect(self, of: AuditOf) -> str:
        return f"{of}: {self}" + (" at least" if self.at_least else "")

    def back(self, of: AuditOf) -> str:
        return f"{of}: {self} again; what is older is deleted by the log itself"


class AuditReading(Reading[AuditLevel]):
    """`since`: the oldest entry that is there still; None: there is none, or nobody can say. What was before is gone: nobody can say what it held."""

    since: datetime | None = None


class Event(Value):
    """Where an event of ours arrived. `mark`: it shows in the log; `access`: an access of ours to data does, which we did not write ourselves.

    `access` is None where the log has no such thing to show.
    """

    mark: bool
    access: bool | None = None


class AuditLog(Protocol):
    """Who logs: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, of: AuditOf) -> AuditReading:
        """What is logged now."""

    async def write(self, call: Call, of: AuditOf, wanted: AuditLevel, over: AuditReading, epoch: int) -> None:
        """Write it over what was read. What is kept longer stays so where the order wants so many days *at least*."""

    async def since(self, call: Call, of: AuditOf) -> datetime | None:
        """Of when the oldest entry is."""

    async def tried(self, call: Call, of: AuditOf) -> Event:
        """Make an event, once for each call key, and look whether it has arrived by now."""


class Auditing(
    Setting[AuditOf, AuditLevel, AuditReading], read="audit.look", change="audit.enhance", restore="audit.put_back", risk=Risk.C2,
    restore_risk=Risk.C3, asks=(Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER), restore_asks=(Role.SECURITY_LEAD, Role.LEGAL), contains=True,
):  # fmt: skip
    """Proven by a test event that arrives. To put it back deletes what was kept for longer, so that two people say so."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def look_at(self, call: Call, of: AuditOf) -> AuditReading:
        return await self._log.read(call, of)

    async def survey(self, call: Call, of: AuditOf) -> AuditReading:
        return (await self.look_at(call, of)).model_copy(update={"since": await self._log.since(call, of)})

    async def write(self, call: Call, of: AuditOf, wanted: AuditLevel, over: AuditReading, epoch: int) -> None:
        days = max(wanted.retention_days, over.value.retention_days) if wanted.at_least else wanted.retention_days
        await self._log.write(call, of, wanted.model_copy(update={"retention_days": days}), over, epoch)

    async def check(self, call: Call, order: Change[AuditOf, AuditLevel] | Restore[AuditOf, AuditLevel], to: AuditLevel) -> None:
        if not 1 <= to.retention_days <= LONGEST:
            raise Refused(f"an audit log is kept for 1 to {LONGEST} days, and not for {to.retention_days}")

    async def prove(self, call: Call, order: Change[AuditOf, AuditLevel], now: AuditReading) -> str:
        event = await self._log.tried(call, order.of)
        if not event.mark:
            raise NotYet(f"accepted, but a test event of ours has not arrived in {order.of}", after=ARRIVES)
        if order.wanted.data_access and event.access is False:
            raise NotYet(f"accepted, but no access of ours to data shows in {order.of}", after=ARRIVES)
        return "a test event of ours has arrived" + ("; so has an access of ours, by the log's own account" if event.access else "")

    async def prove_step(self, call: Call, order: Restore[AuditOf, AuditLevel], step: AuditLevel) -> str:
        return ""


ENHANCED = Auditing.measure("audit enhanced", sticky=True)


def enhance(scope: str, retention_days: int, why: str = "", *, systems: dict[str, str] | None = None) -> Change[AuditOf, AuditLevel]:
    """The order that has accesses to data logged, and kept for so many days at least. `systems` (`policy.systems`): who logs."""
    of = AuditOf(scope=scope, store="own" if (systems or {}).get("audit") == "audit log" else "google")
    return Auditing.order(of, AuditLevel(data_access=True, retention_days=retention_days, at_least=True), why=why)
