"""The services that the world opens with: their revisions, regions and feed, and what was changed in the day before. None of it is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from practice.services.fleet import Change, Feed, Fleet, Place, Revision, Service
from practice.world.cast import REGIONS

SERVICES = ("api", "orchestrator")
"""Their names, unless others are wanted: the first runs on Cloud Run, the second on Kubernetes, and so on in turns."""
PLATFORMS = ("cloud_run", "kubernetes")
RPS, RPS_PER_REPLICA, LEAST = 6.0, 2.0, 4  # either region alone can carry everything, and a third more
LATENCIES_MS = (400.0, 900.0)
FEED, FEED_VERSION = "routing-rules", 4711
FIRST, NEWEST = 34, 41
SCHEMA = 5
HOUR, DAY = 3600.0, 86_400.0

_GREEN_MINUTES = (9000.0, 5400.0, 2700.0, 1800.0, 7200.0, 300.0, 4300.0)  # of all revisions but the newest
_AGES_DAYS = (40.0, 33.0, 27.0, 21.0, 17.0, 9.0, 6.0)
_NEWEST_HOURS = (20.0, 6.0)

_PAST: tuple[tuple[float, str, str, str, bool], ...] = (
    (22.5, "config", "lee", "log level of {0} from debug to info", True),
    (17.0, "prompt", "ravi", "assistant prompt v12 of {1}: shorter answers", True),
    (13.0, "migration", "kim", "index on {0}.sessions(created_at), built concurrently", True),
    (9.0, "scheduler", "lee", "nightly re-index of {1} moved from 02:00 to 03:00", True),
    (5.0, "flag", "ravi", "batch.enabled from 50 % to 100 % of tenants", True),
    (3.0, "iam", "sam", "read-only role of the analytics team on {0}", True),
    (1.6, "model", "ravi", "evaluation model of {1} from v3 to v4", True),
    (0.7, "vendor", "cdn:northedge", "maintenance of a point of presence that we do not use", False),
)
"""Hours ago, kind, by whom, what, reversible."""


def fleet(seed: int, names: Sequence[str], born: float) -> Fleet:
    """The fleet of a world that is born at `born`. Names are those of its services; without any there is no feed and no past either."""
    if not names:
        return Fleet()
    services = {name: _service(seed, name, index, born) for index, name in enumerate(names)}
    feed = Feed(FEED, list(names), version=FEED_VERSION, made_at=born)
    return Fleet(services, {feed.name: feed}, changes=_past(services, born))


def image_digest(seed: int, name: str) -> str:
    return f"sha256:{hashlib.sha256(f'{seed}/{name}'.encode()).hexdigest()}"


def revision_name(service: str, number: int) -> str:
    return f"{service}-{number:05d}"


def _service(seed: int, name: str, index: int, born: float) -> Service:
    revisions = {r.name: r for r in _revisions(seed, name, _NEWEST_HOURS[index % 2], born)}
    newest = revision_name(name, NEWEST)
    if index % 2:
        for revision in revisions.values():
            revision.secrets["OPENAI_API_KEY"] = 1
    return Service(
        name, PLATFORMS[index % 2], f"acme/{name}", RPS, RPS_PER_REPLICA, LATENCIES_MS[index % 2],
        revisions=revisions,
        places={region: Place(region, {"LATEST": 1.0}, LEAST, LEAST, LEAST, template=newest, history=list(revisions)) for region in REGIONS.values()},
        weights=dict.fromkeys(REGIONS.values(), 1 / len(REGIONS)),
        schema=SCHEMA,
    )  # fmt: skip


def _revisions(seed: int, service: str, newest_hours: float, born: float) -> list[Revision]:
    """Oldest first. The first one's image has been tidied away, and the second knows only older schemas: neither can come back."""
    ages = [*(days * DAY for days in _AGES_DAYS), newest_hours * HOUR]
    green = [*_GREEN_MINUTES, newest_hours * 60 - 15]
    made = []
    for number, age, minutes in zip(range(FIRST, NEWEST + 1), ages, green, strict=True):
        name = revision_name(service, number)
        revision = Revision(name, number, image_digest(seed, name), born - age, schema_min=3, schema_max=SCHEMA, green_minutes=minutes)
        revision.secrets = {"DATABASE_URL": 3, "SIGNING_KEY": 2 if number > FIRST + 3 else 1}
        made.append(revision)
    made[0].image_present = False
    made[1].schema_max = SCHEMA - 1
    return made


def _past(services: dict[str, Service], born: float) -> list[Change]:
    """Oldest first: some ordinary work of the last day, and the deploy of every revision that is as young."""
    named = list(services)
    first, last = named[0], named[-1]
    changes = []
    for hours, kind, actor, what, reversible in _PAST:
        concerned = [first] if "{0}" in what else [last] if "{1}" in what else named
        changes.append(Change("", kind, born - hours * HOUR, actor, concerned, what.format(first, last), reversible))
    for service in services.values():
        new = service.newest()
        if new.created > born - DAY:
            details = {"revision": new.name}
            changes.append(
                Change("", "deploy", new.created, new.actor, [service.name], f"{new.name}: small fixes", True, new.digest, details)
            )
    changes.sort(key=lambda change: change.at)
    for number, change in enumerate(changes, 1):
        change.id = f"chg-{number}"
    return changes
