"""`/access-records`: who has read which data set, when, and how much. Ids, countries and counts; no value of any record."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.intrusion.cast import YEAR, intrusion
from practice.intrusion.model import Intrusion, Read
from practice.world.clock import from_rfc3339

FACE = own_api(
    "access_records",
    "Who has read which data set, when, from where, and how many rows: by ids, countries and counts, never by a value. A log that does not "
    "reach back far enough, or that has holes, says so.",
)
OF = "/access-records/v1"
PAGE = 20
HOUR = 3600.0
Instant = Annotated[float, BeforeValidator(from_rfc3339), WithJsonSchema({"type": "string", "format": "date-time"})]


class Coverage(Shown):
    """From when to when the log has every read. `complete`: without a hole between. What is older has rolled away, and nobody can read it."""

    begins: datetime
    ends: datetime
    complete: bool


class ReadShown(Shown):
    """Reads of one identity of one data set for one tenant. `subjects`: persons by country or state."""

    identity: str
    data_set: str
    asset: str
    tenant: str
    rows: int
    subjects: dict[str, int]
    first: datetime
    last: datetime


class Records(Shown):
    """`next`: the offset of the next page; null on the last one."""

    reads: list[ReadShown]
    coverage: Coverage
    next: int | None


class RecordsOf(Query):
    identity: str = ""
    since: Instant
    offset: int = Field(0, ge=0)


class IdentityShown(Shown):
    """Somebody who reads data sets. `usual`: the 99th percentile of its rows an hour, over 30 days; `most`: that it has read in one hour since.

    `may_read`: data sets that it could read, whether or not it has."""

    id: str
    credential: str
    owner: str
    asset: str
    usual: float
    most: float
    may_read: list[str]


class Identities(Shown):
    identities: list[IdentityShown]
    coverage: Coverage
    next: int | None


def coverage(call: Call, there: Intrusion) -> Coverage:
    stamp = call.world.clock.stamp
    begins = there.dials.log_begins if there.dials.log_begins is not None else there.born - YEAR
    return Coverage.model_validate({"begins": stamp(begins), "ends": stamp(call.now), "complete": not there.dials.gap})


@FACE.reads("records.list", OF + "/records", models=RouteModels(query=RecordsOf, shows=Records))
def records(call: Call) -> Reply:
    """Reads since an instant, added up by identity, data set, asset and tenant."""
    asked, there = call.asked(RecordsOf), intrusion(call.state, call.now)
    found = [one for one in _seen(call, there, asked.since) if asked.identity in ("", one.identity)]
    by = defaultdict[tuple[str, str, str, str], list[Read]](list)
    for one in found:
        by[one.identity, one.data_set, one.asset, one.tenant].append(one)
    rows = [_added(call, there, those) for _, those in sorted(by.items())]
    return _page(call, asked.offset, rows, Records, "reads", there)


def _seen(call: Call, there: Intrusion, since: float) -> list[Read]:
    """What the log has, since an instant that is asked in real time."""
    begins = max(call.world.clock.to_world(since), there.dials.log_begins or 0.0)
    return [one for one in there.reads if one.at >= begins and not (there.dials.gap and round(one.at / 15) % 4 == 0)]


def _added(call: Call, there: Intrusion, those: list[Read]) -> ReadShown:
    """The same person is read many times: never more of a country than the data set has there."""
    subjects = defaultdict[str, int](int)
    known = there.sets[those[0].data_set].subjects
    for one in those:
        for place, n in one.subjects.items():
            subjects[place] = min(subjects[place] + n, known[place])
    stamp = call.world.clock.stamp
    return ReadShown.model_validate({
        **{name: getattr(those[0], name) for name in ("identity", "data_set", "asset", "tenant")}, "rows": sum(one.rows for one in those),
        "subjects": dict(subjects), "first": stamp(min(one.at for one in those)), "last": stamp(max(one.at for one in those)),
    })  # fmt: skip


@FACE.reads("identities.list", OF + "/identities", models=RouteModels(query=RecordsOf, shows=Identities))
def identities(call: Call) -> Reply:
    """Everybody who has read, or could, with what is usual for them and the most that they have read in an hour since."""
    asked, there = call.asked(RecordsOf), intrusion(call.state, call.now)
    seen, shown = _seen(call, there, asked.since), []
    for one in there.identities.values():
        if asked.identity not in ("", one.id):
            continue
        may = sorted(name for name, of in there.sets.items() if one.id in of.readers)
        shown.append(
            IdentityShown(
                id=one.id, credential=one.credential, owner=one.owner, asset=one.asset, usual=one.usual, may_read=may,
                most=_most([read for read in seen if read.identity == one.id]),
            )
        )  # fmt: skip
    return _page(call, asked.offset, shown, Identities, "identities", there)


def _most(reads: list[Read]) -> float:
    """The most rows of any hour: a shorter time counts as the part of an hour that it is, five minutes at least."""
    if not reads:
        return 0.0
    lasted = max(reads[-1].at - reads[0].at + 15.0, HOUR / 12)
    within = [sum(one.rows for one in reads if start.at <= one.at < start.at + HOUR) for start in reads[:: max(1, len(reads) // 20)]]
    return max(within) * HOUR / min(lasted, HOUR)


def _page(call: Call, offset: int, rows: list[ReadShown] | list[IdentityShown], shape: type[Shown], name: str, there: Intrusion) -> Reply:
    last = offset + PAGE >= len(rows)
    told = {name: rows[offset : offset + PAGE], "coverage": coverage(call, there), "next": None if last else offset + PAGE}
    return Reply(shape.model_validate(told).model_dump(mode="json"))
