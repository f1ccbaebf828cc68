"""What must exist exactly once at a vendor: each kind that we make, on the practice platform, through the same cells."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from activities.action import Effect, NotYet, Order, Refused, Role
from activities.chat.orders import OpenRoom, TellRoom
from activities.chat.slack import Slack
from activities.chat.war_room import WarRoom
from activities.databases.client import DatabasePlane
from activities.databases.jobs import Snapshot as DbSnapshot
from activities.databases.jobs import Snapshots
from activities.disks.gce import ComputeDisks
from activities.disks.snapshots import DiskSnapshot, DiskSnapshots
from activities.evidence.evidence import Evidence, Snapshot
from activities.evidence.gcs import Gcs
from activities.evidence.store import EvidenceStore
from activities.identity.codes import Codes
from activities.metrics.prometheus import Prometheus
from activities.organisation.people import Person
from activities.paging.orders import Page
from activities.paging.pager import Pager
from activities.paging.pagerduty import PagerDuty
from activities.registry.release_plane import ReleasePlane
from activities.registry.releases import ClearSticky, StickySessions
from activities.status_page.status_page import StatusPage
from activities.status_page.statuspage import Statuspage
from activities.tickets.github import GitHub
from activities.tickets.tickets import OpenTicket, Tickets
from tests.activities.evidence.stage import s3
from tests.activities.kit.rows.credentials.made import CREDENTIALS
from tests.activities.kit.rows.practised import STATUS
from tests.activities.kit.stage import INCIDENT, Stage, attempt, stage, tried
from tests.activities.people.test_long_lists import publication

DANA = Person(id="dana", name="Dana", roles=(Role.INCIDENT_COMMANDER,), slack="U_DANA", pager="P_DANA")


@dataclass(frozen=True)
class Created:
    """One kind of thing: how it is made, and the routes that make it and show it. `kind`: the class of ours that makes it.

    What shows its value only once is made again when the answer was lost, after the one that nobody has was taken away: it is `counted`.
    """

    kind: str
    verb: Any
    system: Callable[[Stage], Any]
    order: Callable[[Stage], Awaitable[Order]]
    make: str
    look: str
    counted: Callable[[Stage], int] | None = None  # how many there are; None: as often as it was made

    async def __call__(self) -> "Thing":
        played = stage()
        return Thing(self, self.system(played), await self.order(played), played)


@dataclass(frozen=True)
class Thing:
    of: Created
    system: Any
    order: Order
    stage: Stage

    def made(self) -> int:
        return self.of.counted(self.stage) if self.of.counted else len(self.stage.effects(self.of.make))

    async def tried(self) -> tuple[Effect, list[Exception]]:
        return await tried(self.of.verb, self.system, self.order, self.stage.call(key="k"))

    def inject(self, mode: str, times: int | None, on: str = "") -> None:
        if mode in STATUS:
            self.stage.inject(on or self.of.make, "fail", times=times, status=STATUS[mode])
        else:
            self.stage.inject(on or self.of.make, mode, times=times, **({"retry_after": 7} if mode == "throttle" else {}))


def _pager(played: Stage) -> Pager:
    events, rest = played.client("/pagerduty", Accept="application/json"), "Token token=practice-token"
    pagerduty = PagerDuty(
        events,
        played.client("/pagerduty/api", Authorization=rest),
        routing_key="practice-token",
        requester="P_DANA",
        sender="dana@example.com",
    )
    return Pager(pagerduty, _slack(played), Codes(b"a practice secret, long enough"))


def _slack(played: Stage) -> Slack:
    return Slack(played.client("/slack/api"))


def _status_page(played: Stage) -> StatusPage:
    manage = played.client("/statuspage/v1", Authorization="OAuth practice-token")
    return StatusPage(Statuspage(manage, played.client("/statuspage/public", Accept="application/json"), "main"))


async def _given(order: Order, played: Stage) -> Order:
    return order


async def _told(played: Stage) -> Order:
    """A room is there; one message is to be said in it."""
    opened = await attempt(WarRoom.open, WarRoom(_slack(played)), OpenRoom(name=INCIDENT, topic="chat", people=()), played.call(key="room"))
    return TellRoom(channel=opened.after["channel"], says=("The impact has ended.",), nth=1)


def _evidence(played: Stage) -> Evidence:
    return Evidence(EvidenceStore(Gcs(played.client("/gcs"), "evidence"), None), Prometheus(played.client("/prom")))


async def _exported(played: Stage) -> Order:
    now = played.call().at
    return Snapshot(incident_id=INCIDENT, service="chat", start=now - timedelta(minutes=1), end=now)


CREATED = {
    "database snapshot": Created(
        "Snapshots", Snapshots.create, lambda played: Snapshots(DatabasePlane(played.client("/databases"))),
        partial(_given, DbSnapshot(cluster="main", node="db-2")), "databases.jobs.start", "databases.jobs.list",
    ),
    "compute engine": Created(
        "DiskSnapshots", DiskSnapshots.create, lambda played: DiskSnapshots(ComputeDisks(played.client("/gce"), "acme")),
        partial(_given, DiskSnapshot(disk="projects/acme/zones/eu-west-b/disks/api-1", incident_id=INCIDENT, asset="api")),
        "gce.disks.createSnapshot", "gce.snapshots.get",
    ),
    "ticket": Created(
        "Tickets", Tickets.open, lambda played: Tickets(GitHub(played.client("/github"), "acme/incidents")),
        partial(_given, OpenTicket(incident_id=INCIDENT, title="Provider outage", body="answers fail")), "github.issues.create", "github.issues",
    ),
    "war room": Created(
        "Rooms", WarRoom.open, lambda played: WarRoom(_slack(played)),
        partial(_given, OpenRoom(name=INCIDENT, topic="chat", people=())), "slack.conversations.create", "slack.conversations.info",
    ),
    "message": Created(
        "Slack", WarRoom.tell, lambda played: WarRoom(_slack(played)), _told, "slack.chat.postMessage", "slack.conversations.history",
    ),
    "page": Created(
        "Pages", Pager.page, _pager,
        partial(_given, Page(incident_id=INCIDENT, people=(DANA,), summary="SEV-1", severity=1)), "pagerduty.enqueue", "pagerduty.incidents",
    ),
    "cleared sessions": Created(
        "StickySessions", StickySessions.create, lambda played: StickySessions(ReleasePlane(played.client("/quality"))),
        partial(_given, ClearSticky(route="chat")), "quality.sticky.clear", "quality.sticky",
    ),
    "evidence in gcs": Created(
        "Gcs", Evidence.snapshot, _evidence, _exported, "gcs.objects.insert", "gcs.objects.get",
    ),
    "evidence in s3": Created(
        "S3", Evidence.snapshot, lambda played: Evidence(EvidenceStore(s3(played), None), Prometheus(played.client("/prom"))), _exported,
        "s3.objects.put", "s3.objects.head",
    ),
    "post": Created("Posts", StatusPage.publish, _status_page, partial(_given, publication(1)), "statuspage.incidents.create", "statuspage.public"),
    **{name: Created(*row) for name, row in CREDENTIALS.items()},
}  # fmt: skip


async def once(thing: Thing, *, mode: str, times: int = 1, on_look: bool = False) -> None:
    """Whatever happens, it is there once; and trying again under the same key does nothing."""
    thing.inject(mode, times, f"{thing.of.look}*" if on_look else "")
    effect, _ = await thing.tried()
    assert thing.made() == 1 and effect.proven_by
    again, _ = await thing.tried()
    assert again.adopted and thing.made() == 1


async def refused_for_good(thing: Thing, *, mode: str) -> None:
    """Said as a refusal; where other things are told in the same call, as one that was not sent."""
    thing.inject(mode, None)
    try:
        effect, _ = await thing.tried()
    except Refused:
        assert not thing.made()
    else:
        assert effect.after["not_sent"] and not thing.made()


async def never_an_effect(thing: Thing) -> None:
    """200 OK, and nothing is there."""
    thing.inject("nothing_changed", 40)
    try:
        effect, _ = await thing.tried()
    except AssertionError:
        assert not thing.made()
    else:
        raise AssertionError(f"claimed: {effect.proven_by}")


async def a_late_process_makes_nothing(thing: Thing) -> None:
    over: dict[str, Any] = {"worked": timedelta(seconds=11), "start_to_close_timeout": timedelta(seconds=10)}
    try:
        await attempt(thing.of.verb, thing.system, thing.order, thing.stage.call(key="k"), **over)
    except NotYet as late:
        assert "does not write any more" in late.message
    assert not thing.made(), "made after its time was over"


CREATED_CELLS: dict[str, Callable[[Thing], Awaitable[None]]] = {
    **{f"once: {mode}": partial(once, mode=mode) for mode in ("fail", "hang", "commit_then_drop", "nothing_changed")},
    "once: throttle": partial(once, mode="throttle", times=2),
    "once: a look that fails": partial(once, mode="fail", on_look=True),
    **{f"refused: {mode}": partial(refused_for_good, mode=mode) for mode in ("denied", "expired", "moved")},
    "200 OK, nothing there": never_an_effect,
    "late process": a_late_process_makes_nothing,
}
