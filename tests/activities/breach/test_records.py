"""Access records: who reads beyond what is usual; lists to their end; a log that does not reach back, or has holes, is no quiet."""

from datetime import UTC, datetime, timedelta

from activities.breach.records import AccessLog, QuietOf
from activities.metrics.orders import StabilityVerdict
from activities.organisation.numbers import CurveNumbers
from practice.intrusion.model import Identity
from tests.activities.breach.looked import EXPORTER, entered, of, readers, records, since
from tests.activities.kit.stage import Stage, attempt, stage


async def quiet(played: Stage, *identities: str, minutes: float = 5) -> StabilityVerdict:
    until = datetime.fromtimestamp(played.world.clock.now(), UTC)
    order = QuietOf(identities=identities, since=until - timedelta(minutes=minutes), until=until)
    return await attempt(AccessLog.quiet, AccessLog(records(played)), order, played.call())  # type: ignore[no-any-return]


async def test_only_who_reads_beyond_its_own_usual_is_a_suspect() -> None:
    played = entered()
    found = await readers(played)
    assert [one.id for one in found.suspects(CurveNumbers())] == [EXPORTER] and len(found.readers) == 2
    assert found.coverage.covers(since(played)), "a year is kept"


async def test_fifty_thousand_rows_an_hour_are_too_many_whatever_is_usual() -> None:
    played = entered()
    of(played).identities[EXPORTER].usual = 1_000_000.0
    assert [one.id for one in (await readers(played)).suspects(CurveNumbers())] == [EXPORTER]


async def test_everybody_is_read_also_on_the_third_page() -> None:
    played = entered()
    for n in range(45):
        of(played).identities[f"svc-{n}"] = Identity(f"svc-{n}", "", "api", usual=10.0)
    assert len((await readers(played)).readers) == 47


async def test_a_log_that_begins_later_and_one_with_holes_say_so() -> None:
    played = entered()
    of(played).dials.log_begins = played.world.clock.now() - 600
    found = await readers(played)
    assert not found.coverage.covers(since(played)) and "rolled away" in found.coverage.says(since(played))
    of(played).dials.log_begins = None
    of(played).dials.gap = True
    assert "the log has holes" in (await readers(played)).summary


async def test_quiet_is_only_where_nothing_beyond_usual_was_read_and_the_log_covers_it() -> None:
    played = entered()
    loud = await quiet(played, EXPORTER)
    assert not loud.stable and loud.violated_at is not None and EXPORTER in loud.why
    of(played).intruder = None
    played.pass_time(900)
    assert (await quiet(played, EXPORTER)).stable
    assert (await quiet(played, "svc-reports")).stable, "it reads all day: that is its work"
    of(played).dials.gap = True
    blind = await quiet(played, EXPORTER)
    assert not blind.stable and blind.blind_at is not None


async def test_of_somebody_whom_nobody_knows_nothing_is_quiet() -> None:
    assert (await quiet(stage(), "svc-gone")).blind_at is not None
    assert (await quiet(stage())).blind_at is not None, "nobody was named"
