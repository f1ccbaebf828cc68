"""The scope ledger: by the log and the map; what the log does not have is assumed; it widens by itself, and never narrows by itself."""

from activities.breach.data_map import DataClass, DataRole
from activities.breach.scope import Confidence, ScopeLedger, ScopeLine
from tests.activities.breach.looked import EXPORTER, entered, known, of, scope


def line(**more: object) -> ScopeLine:
    said: dict[str, object] = {
        "identity": "a", "data_set": "s", "classes": (DataClass.PII,), "role": DataRole.PROCESSOR, "rows": 5, "tenants": ("t1",),
        "subjects": {"DE": 3}, "encrypted": False, "key_exposed": False, "confidence": Confidence.HIGH,
    }  # fmt: skip
    return ScopeLine.model_validate({**said, **more})


async def test_what_was_read_is_told_with_class_role_persons_and_tenants() -> None:
    found = await scope(entered())
    (only,) = found.lines
    assert (only.data_set, only.role, only.confidence, only.rows) == ("conversations", DataRole.PROCESSOR, Confidence.HIGH, 10_000)
    assert set(found.tenants) == {f"tenant-0{n}" for n in range(1, 7)} or len(found.tenants) == 6
    assert found.subjects["US-CA"] == 700, "the same person is read again and again, and counts once"


async def test_where_the_log_begins_later_everything_counts_that_could_be_read() -> None:
    played = entered()
    of(played).dials.log_begins = played.world.clock.now() - 120
    found = await scope(played)
    assert {one.data_set: one.confidence for one in found.lines} == {"conversations": Confidence.LOW, "accounts": Confidence.LOW}
    assert "rolled away" in found.missing and next(one for one in found.lines if one.data_set == "accounts").rows is None


async def test_a_hole_in_the_log_is_no_less_than_a_log_that_begins_later() -> None:
    played = entered()
    of(played).dials.gap = True
    assert {one.data_set for one in (await scope(played)).lines} == {"conversations", "accounts"}


async def test_without_the_map_rows_are_told_and_nothing_is_sure() -> None:
    found = await scope(entered(), known=None)
    (only,) = found.lines
    assert found.map_away and only.classes == () and only.role is DataRole.UNKNOWN and only.confidence is Confidence.MEDIUM
    assert found.personal, "what nobody knows may be personal data"


async def test_all_that_a_silent_vendor_has_counts() -> None:
    played = entered()
    found = await scope(played, vendor="vendor-insight")
    assert {one.data_set for one in found.lines if one.identity == "vendor-insight"} == {"conversations", "usage"}


def test_it_widens_by_itself_and_says_what_would_be_narrower() -> None:
    old, new = ScopeLedger(lines=(line(rows=9, tenants=("t1", "t2")),)), ScopeLedger(lines=(line(rows=5, subjects={"DE": 3, "FR": 1}),))
    wide = old.widened(new)
    assert (wide.lines[0].rows, wide.tenants, wide.subjects) == (9, ("t1", "t2"), {"DE": 3, "FR": 1})
    assert len(new.narrower(old)) == 1 and not wide.narrower(old) and not wide.narrower(new)
    assert len(ScopeLedger().narrower(old)) == 1, "a line that is gone is less"


def test_unknown_rows_are_more_than_any_number() -> None:
    assert line(rows=5).less_than(line(rows=None)) and not line(rows=None).less_than(line(rows=5))
    assert line(rows=5).wider(line(rows=None)).rows is None


def test_persons_in_two_data_sets_count_twice_and_in_two_reads_of_one_once() -> None:
    ledger = ScopeLedger(lines=(line(), line(data_set="t"), line(identity="b")))
    assert ledger.subjects == {"DE": 6}


async def test_only_what_these_may_read_and_what_a_vendor_has_is_in_question() -> None:
    data = await known(entered())
    assert {one.name for one in data.readable_by((EXPORTER,))} == {"conversations", "accounts"}
    assert data.shortest(tuple(data.contracts)) == 24 and data.shortest(("nobody",)) is None
