"""Backups, whether they were ever restored, and the two things that are done with them: a restore test, and a new instance at a point in time."""

from datetime import datetime
from typing import Generic, TypeVar

from activities.action import Call, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.kit.operation import At, Operation, Progress
from activities.kit.rest import Json, RestClient, RestLook
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path

BASE, TOKEN = Var("BACKUPS_URL"), Var("BACKUPS_TOKEN")
STATES = {"running": At.RUNNING, "done": At.DONE, "failed": At.FAILED}


class BackupPlane(RestClient):
    """Our own contract (docs/api/backups.json)."""

    async def start(self, call: Call, cluster: str, body: Json) -> str:
        return str((await self._http.write(call, "POST", path("v1", "clusters", cluster, "restores"), json=body)).json()["id"])


class BackupsOf(RestLook, target="backups/{cluster}", effect="read the backups of {cluster}", path="clusters/{cluster}/backups"):
    base, token = BASE, TOKEN

    cluster: str


class Backup(Value):
    """One backup. `domain`: whose failure it does not share. `restore_tested_at`: None where nobody has ever restored it."""

    id: str
    at: datetime
    domain: str
    restore_tested_at: datetime | None = None
    covers_until: datetime | None = None  # the log is kept with it up to here

    @property
    def verified(self) -> bool:
        return self.restore_tested_at is not None


class BackupList(Value):
    """The newest first."""

    cluster: str
    backups: tuple[Backup, ...]

    @property
    def verified(self) -> Backup | None:
        """The newest that was restored in a test."""
        return next((one for one in self.backups if one.verified), None)

    @property
    def summary(self) -> str:
        newest = self.backups[0] if self.backups else None
        if newest is None:
            return f"{self.cluster} has no backup that anybody knows of"
        at = newest.restore_tested_at
        tested = f"restored in a test at {at:%d %b %H:%M} UTC" if at else "unverified: it was never restored"
        return f"the newest backup of {self.cluster} is of {newest.at:%d %b %H:%M} UTC, {tested}"


class OnBackup(Order, target="backups/{cluster}/{backup}"):
    cluster: str
    backup: str

    def body(self) -> Json:
        return {"backup": self.backup}

    def by_hand(self) -> tuple[str, ...]:
        to, bearer = address(BASE, path("v1", "clusters", self.cluster, "restores")), ("Authorization: Bearer ", TOKEN)
        body = {"key": f"by-hand-{self.backup}", **self.body()}
        return (curl("POST", to, bearer, body=body), curl("GET", to, bearer))


class TestRestore(OnBackup, effect="restore backup {backup} of {cluster} into an instance that nobody uses, and read it"):
    __test__ = False  # for pytest
    undone = "the instance is thrown away by the backup system"

    def body(self) -> Json:
        return {"backup": self.backup, "kind": "test"}


class RestoreTo(OnBackup, target="backups/{cluster}/{backup}/restore"):
    """Into a new instance, up to an instant: what was written later is not in it."""

    undone = "the new instance is taken away by people"

    until: datetime

    def effect(self) -> str:
        when = f"{self.until:%H:%M:%S} UTC"
        return f"restore backup {self.backup} of {self.cluster} into a new instance, as it was at {when}; later writes are not in it"

    def body(self) -> Json:
        return {"backup": self.backup, "kind": "restore", "until": self.until.isoformat()}


O = TypeVar("O", bound=OnBackup)


class Restoring(Operation[O], Generic[O]):
    def __init__(self, backups: BackupPlane) -> None:
        self._backups = backups

    async def find(self, call: Call, order: O) -> str | None:
        found = (await self._backups.get(call, path("v1", "clusters", order.cluster, "restores"), key=call.key))["restores"]
        return str(found[0]["id"]) if found else None

    async def start(self, call: Call, order: O) -> str:
        return await self._backups.start(call, order.cluster, {"key": call.key, **order.body()})

    async def status(self, call: Call, order: O, id: str) -> Progress:
        said = await self._backups.get(call, path("v1", "clusters", order.cluster, "restores", id))
        at = STATES.get(said["state"], At.UNKNOWN)
        if at is At.RUNNING:
            raise NotYet(said["says"] or "it has not ended yet")
        return Progress(at=at, says=said["says"], after={"instance": said["instance"], "rows": said["rows"]})

    async def verify(self, call: Call, order: O, id: str) -> str:
        """Rows were read from it: a job that says "done" is no restored backup."""
        said = await self._backups.get(call, path("v1", "clusters", order.cluster, "restores", id))
        if not said["rows"]:
            raise Refused(f"backup {order.backup} does not restore: nothing could be read from {said['instance']}")
        return f"{said['rows']} rows were read from {said['instance']}"


class RestoreTests(Restoring[TestRestore], name="backups.test", risk=Risk.C1, asks=(Role.DB_LEAD,), on_suspicion=True):
    """Whether a backup can be restored is not believed before it was."""


class Restores(Restoring[RestoreTo], name="backups.restore", risk=Risk.C3, asks=(Role.INCIDENT_COMMANDER, Role.DB_LEAD), contains=True):
    """A new instance, beside what is left of the old ones."""


class Backups(System):
    def __init__(self, backups: BackupPlane) -> None:
        self._backups = backups

    @action("backups.list")
    async def list(self, order: BackupsOf, call: Call) -> BackupList:
        """The backups, and whether they were ever restored."""
        found = [Backup(**one) for one in (await self._backups.look(call, order))["backups"]]
        return BackupList(cluster=order.cluster, backups=tuple(sorted(found, key=lambda one: one.at, reverse=True)))
