"""The hunt says of every class whether it was looked through; what is switched off counts only when nobody comes in by it."""

import pytest

from activities.action import NotYet
from activities.breach.evidence import BreachEvidence, BreachExport
from activities.breach.footholds import NAMES, Checked, Evictions, Hunt, HuntOf, Hunts, evict
from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore
from practice.intrusion.faults import leave
from tests.activities.breach.looked import entered, footholds, of, records, since
from tests.activities.kit.stage import Stage, attempt, stage, tried


async def hunted(played: Stage) -> Hunt:
    return await attempt(Hunts.hunt, Hunts(footholds(played)), HuntOf(since=since(played)), played.call())  # type: ignore[no-any-return]


async def test_every_class_is_checked_or_said_not_to_be() -> None:
    played = entered()
    of(played).dials.unchecked = ["oauth", "agent"]
    found = await hunted(played)
    assert found.unchecked == ("oauth", "agent") and {one.kind for one in found.found} == {"ci", "schedule"}
    assert "OAuth apps: not checked" in found.in_words and "new keys: checked, 0 found" in found.in_words and "clean" not in found.in_words


def test_a_class_that_an_answer_does_not_name_was_not_checked() -> None:
    found = Hunt(classes=(Checked(kind="ci", checked=True, found=0),), found=())
    assert set(found.unchecked) == set(NAMES) - {"ci"} and found.in_words.count("not checked") == len(NAMES) - 1


async def test_the_list_is_read_to_its_end() -> None:
    played = entered(footholds=())
    for _ in range(45):
        leave(of(played), "key", played.world.clock.now())
    assert len((await hunted(played)).alive) == 45


async def test_what_reads_switched_off_and_lets_somebody_in_is_not_evicted() -> None:
    played = stage()
    leave(of(played), "oauth", played.world.clock.now()).sticks = True
    (seen,) = (await hunted(played)).found
    with pytest.raises(NotYet, match="somebody still comes in"):
        await attempt(Evictions.change, Evictions(footholds(played)), evict(seen), played.call(key="k"))


async def test_an_eviction_keeps_what_it_switches_off() -> None:
    played = stage()
    leave(of(played), "ci", played.world.clock.now())
    (seen,) = (await hunted(played)).found
    effect, _ = await tried(Evictions.change, Evictions(footholds(played)), evict(seen), played.call(key="k"))
    assert "does not come in by it" in effect.proven_by and len(of(played).footholds) == 1
    assert not (await hunted(played)).alive and len((await hunted(played)).found) == 1


async def test_evidence_is_kept_once_and_what_does_not_answer_is_named(tmp_path: object) -> None:
    played = entered()
    played.inject("access_records.records.list", "fail", status=403, times=None)
    store = EvidenceStore(Folder(tmp_path), None)  # type: ignore[arg-type]  # the test's own folder
    order = BreachExport(incident_id="inc-1", since=since(played))
    system = BreachEvidence(records(played), footholds(played), store)
    first = await attempt(BreachEvidence.keep, system, order, played.call())
    again = await attempt(BreachEvidence.keep, system, order, played.call())
    assert first.after["unread"] == ["access records"] and not first.adopted and again.adopted
