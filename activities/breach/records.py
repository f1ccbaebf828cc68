"""Who has read which data set, when, and how much (A.4 T1, T3): by ids, countries and counts; what the log does not have is said."""

from datetime import datetime, timedelta

from activities.action import Call, System, Value, action
from activities.breach.planes import AccessRecords, RecordsLook
from activities.kit.rest import Json
from activities.metrics.orders import StabilityVerdict
from activities.organisation.numbers import CurveNumbers
from activities.values import listed


class ReadersOf(RecordsLook, effect="read who has exported how much since {since:%Y-%m-%d %H:%M} UTC", path="identities"):
    """Everybody who has read data sets, or could."""

    since: datetime

    def asked(self) -> dict[str, str]:
        return {"since": self.since.isoformat()}


class ReadsOf(RecordsLook, effect="read what was read since {since:%Y-%m-%d %H:%M} UTC", path="records"):
    identities: tuple[str, ...]
    since: datetime

    def effect(self) -> str:
        return f"read what {len(self.identities)} identities have read since {self.since:%Y-%m-%d %H:%M} UTC"

    def asked(self) -> dict[str, str]:
        return {"since": self.since.isoformat()}


class QuietOf(ReadsOf, effect="ask whether intruders were quiet since {since:%Y-%m-%d %H:%M} UTC"):
    """Whether nothing of these identities beyond what is usual for them was seen between two real instants."""

    until: datetime

    def effect(self) -> str:
        return (
            f"ask whether {len(self.identities)} identities were quiet from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
        )


class Coverage(Value):
    """From when to when the log has every read. What is older has rolled away."""

    begins: datetime
    ends: datetime
    complete: bool

    def covers(self, since: datetime) -> bool:
        return self.complete and self.begins <= since

    def says(self, since: datetime) -> str:
        """What is missing since then; empty when nothing is."""
        said = [] if self.begins <= since else [f"the log begins {self.begins:%Y-%m-%d %H:%M} UTC, what is older has rolled away"]
        return "; ".join([*said, *([] if self.complete else ["the log has holes"])])


class Reader(Value):
    """An identity that reads data sets. `usual`: the 99th percentile of its rows an hour; `most`: that it has read in one hour since."""

    id: str
    credential: str
    owner: str
    asset: str
    usual: float
    most: float
    may_read: tuple[str, ...]

    def beyond_usual(self, numbers: CurveNumbers) -> bool:
        return self.most > numbers.exports.impact * self.usual or self.most > numbers.export_rows_an_hour


class Readers(Value):
    readers: tuple[Reader, ...]
    coverage: Coverage
    since: datetime

    def suspects(self, numbers: CurveNumbers) -> tuple[Reader, ...]:
        """Who has read beyond what is usual, the most first."""
        return tuple(sorted((one for one in self.readers if one.beyond_usual(numbers)), key=lambda one: (-one.most, one.id)))

    @property
    def summary(self) -> str:
        missing = self.coverage.says(self.since)
        return f"{len(self.readers)} identities read data sets" + (f"; {missing}" if missing else "")


class AccessLog(System):
    """Looking only."""

    def __init__(self, plane: AccessRecords) -> None:
        self._plane = plane

    @action("access_records.readers")
    async def readers(self, order: ReadersOf, call: Call) -> Readers:
        """Everybody, to the end of the list, with what the log has."""
        answers = await self._plane.answers(call, order.path, "identities", **order.asked())
        found = [Reader.model_validate(row) for one in answers for row in one["identities"]]
        return Readers(readers=tuple(found), coverage=least(answers), since=order.since)

    @action("access_records.quiet")
    async def quiet(self, order: QuietOf, call: Call) -> StabilityVerdict:
        """More rows than are usual of one of them are activity. A log that does not cover the time is no quiet: it is blind."""
        active, covered, known = list[str](), list[Coverage](), set[str]()
        asked = {"since": order.since.isoformat()}
        for identity in order.identities:
            answers = await self._plane.answers(call, "/v1/identities", "identities", identity=identity, **asked)
            covered.append(least(answers))
            readers = [Reader.model_validate(row) for one in answers for row in one["identities"]]
            known |= {one.id for one in readers}
            active += [one.id for one in readers if one.most > one.usual]
        last = max([at for identity in active for at in await self._last(call, identity, asked) if at <= order.until], default=None)
        unseen = tuple(one for one in order.identities if one not in known)
        gaps = [gap for one in covered if (gap := one.says(order.since))]
        said = [f"{listed(tuple(active))} read more than is usual, until {last:%Y-%m-%d %H:%M:%S} UTC"] if last else []
        said += [*gaps[:1], *([f"nobody knows {listed(unseen)}"] if unseen else [])]
        blind = bool(gaps or unseen or not order.identities)
        return StabilityVerdict(
            stable=last is None and not blind, violated_at=last, why="; ".join(said), blind_at=order.until if blind else None,
            watched=max(timedelta(0), order.until - order.since) * call.pace,
        )  # fmt: skip

    async def _last(self, call: Call, identity: str, asked: dict[str, str]) -> list[datetime]:
        answers = await self._plane.answers(call, "/v1/records", "reads", identity=identity, **asked)
        return [datetime.fromisoformat(row["last"]) for one in answers for row in one["reads"]]


def least(answers: list[Json]) -> Coverage:
    """What every page of an answer covers."""
    found = [Coverage.model_validate(one["coverage"]) for one in answers]
    return Coverage(
        begins=max(one.begins for one in found), ends=min(one.ends for one in found), complete=all(one.complete for one in found)
    )
