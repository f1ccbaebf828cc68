"""The cross-read matrix and the leak ledger against every way to leak, and against what nobody can see."""

from datetime import timedelta
from typing import Any

import pytest

from activities.cdn.cdn import Cdn, CdnEvidence, SampleExport
from activities.evidence.folder import Folder
from activities.evidence.store import EvidenceStore
from activities.tenancy.canaries import CanaryDoor
from activities.tenancy.ledger import LeakEvidence, LeakLedger, TraceLeaks, TraceTenants
from activities.tenancy.matrix import IsolationProbes, Layer, Matrix, MatrixOf, TagsOf
from activities.tenancy.plane import ContractTestsOf, FactsOf, HomesOf, MapOf, TenancyMap, TenancyPlane
from practice.tenancy.cast import tenancy
from practice.tenancy.leaking import begin
from practice.tenancy.model import Fix
from tests.activities.kit.stage import Stage, attempt, refused, stage

SERVICE = "api"


def leaking(kind: str, *endpoints: str) -> Stage:
    played = stage()
    begin(played.world.state, tenancy(played.world.state, played.world.clock.now()), kind, list(endpoints), played.world.clock.now())
    return played


def probes(played: Stage) -> IsolationProbes:
    return IsolationProbes(TenancyPlane(played.client("/tenancy")), CanaryDoor(played.client("/canary")))


async def known(played: Stage) -> TenancyMap:
    return await attempt(IsolationProbes.map, probes(played), MapOf(service=SERVICE), played.call())  # type: ignore[no-any-return]


async def matrix(played: Stage) -> Matrix:
    there = await known(played)
    order = MatrixOf(service=SERVICE, endpoints=tuple(one.name for one in there.endpoints), map=there)
    return await attempt(IsolationProbes.matrix, probes(played), order, played.call())  # type: ignore[no-any-return]


async def test_a_sound_product_leaks_nothing_to_anybody() -> None:
    found = await matrix(stage())
    assert found.clean and found.n == 6 * 2 * 2 * 2, "six endpoints, two regions, both ways, cold and warm"
    assert found.broken == () and found.denied == ()


@pytest.mark.parametrize(
    ("kind", "endpoints", "layer"),
    [
        ("missing_where", ("documents.get",), Layer.DATABASE),
        ("pooled", ("reports.list",), Layer.POOL),
        ("cache_key", ("answers.get",), Layer.CACHE),
        ("cdn", ("files.get",), Layer.CDN),
    ],
)
async def test_each_way_to_leak_is_found_with_its_layer(kind: str, endpoints: tuple[str, ...], layer: Layer) -> None:
    """Both ways, in every region; and nothing else is accused."""
    found = await matrix(leaking(kind))
    assert found.leaking == endpoints and found.layers == (layer,) and not found.clean
    assert {(one.viewer, one.owner) for one in found.leaks} == {
        ("canary-eu-1", "canary-eu-2"), ("canary-eu-2", "canary-eu-1"), ("canary-us-1", "canary-us-2"), ("canary-us-2", "canary-us-1"),
    }  # fmt: skip


async def test_mixed_up_identities_are_told_by_whom_the_product_takes_us_for() -> None:
    found = await matrix(leaking("sessions"))
    assert found.mixed and Layer.SESSIONS in found.layers


async def test_an_endpoint_that_lets_nobody_in_leaks_nothing_and_its_sibling_does() -> None:
    played = leaking("missing_where", "documents.get", "documents.export")
    tenancy(played.world.state, 0).endpoints["documents.get"].admission.admitted = 0.0
    found = await matrix(played)
    assert found.leaking == ("documents.export",) and found.denied == ("documents.get",)


async def test_no_answer_is_not_clean() -> None:
    """A region that is down, or has one canary only, says nothing: that is neither a leak nor none."""
    played = stage()
    tenancy(played.world.state, 0).canaries.pop("canary-us-2")
    found = await matrix(played)
    assert not found.clean and found.unanswered == ("us-east has no two canaries",) and found.leaks == ()
    played.inject("canary.read", "fail", times=None, status=502)
    away = await matrix(played)
    assert away.leaks == () and "documents.get in eu-west" in away.unanswered and not away.clean


async def test_a_fix_that_breaks_tenants_own_reads_is_seen() -> None:
    played = leaking("missing_where")
    tenancy(played.world.state, 0).fix = Fix(service=True, database=True, breaks=True)
    found = await matrix(played)
    assert found.leaks == () and "documents.get in eu-west" in found.broken
    run = await attempt(IsolationProbes.tests, probes(played), ContractTestsOf(service=SERVICE), played.call())
    assert not run.passed and run.failed == 0 and run.broken == 6


async def test_a_thousand_hits_of_a_shared_cache_are_looked_at_for_foreign_tags() -> None:
    played = leaking("cdn")
    order = TagsOf(service=SERVICE, endpoint="files.get", map=await known(played))
    found = await attempt(IsolationProbes.tags, probes(played), order, played.call())
    assert found.hits >= 1000 and found.foreign > 0
    tenancy(played.world.state, 0).endpoints["files.get"].bypass.on = True
    again = await attempt(IsolationProbes.tags, probes(played), order, played.call())
    assert again.foreign == 0


async def test_a_tenant_in_two_regions_is_in_none_that_is_known() -> None:
    played = stage()
    name = sorted(played.world.state.tenants)[3]
    tenancy(played.world.state, 0).dials.two_homes = name
    homes = await attempt(IsolationProbes.homes, probes(played), HomesOf(service=SERVICE), played.call())
    assert homes.unknown == (name,) and name not in homes.at and len(homes.at) == 19


async def test_what_nobody_can_say_is_unknown_and_not_no() -> None:
    played = stage()
    tenancy(played.world.state, 0).dials.layer_unknown = True
    facts = await attempt(IsolationProbes.facts, probes(played), FactsOf(service=SERVICE), played.call())
    assert facts.owner is None and facts.in_words.count("unknown") == 4


# -- the ledger -------------------------------------------------------------------------------------------------------------------------


def evidence(played: Stage, tmp: Any) -> LeakEvidence:
    return LeakEvidence(TenancyPlane(played.client("/tenancy")), EvidenceStore(Folder(tmp), None))


async def ledger(played: Stage, tmp: Any) -> LeakLedger:
    order = TraceLeaks(service=SERVICE, since=played.call().at - timedelta(hours=1), incident_id=played.call().incident_id)
    return await attempt(LeakEvidence.ledger, evidence(played, tmp), order, played.call())  # type: ignore[no-any-return]


async def test_the_ledger_says_who_saw_what_of_whom_and_never_what_it_was(tmp_path: Any) -> None:
    played = leaking("missing_where")
    played.pass_time(120)
    seen = tenancy(played.world.state, 0).accesses
    found = await ledger(played, tmp_path)
    assert found.complete and found.rows == len(seen) and sum(one.count for one in found.pairs) == len(seen)
    assert {(one.owner, one.viewer) for one in found.pairs} == {(one.owner, one.viewer) for one in seen}
    assert found.endpoints == ("documents.get",) and found.first is not None
    assert all(
        one.first <= one.last and one.objects <= one.count and set(one.fields) <= {"contact", "content", "billing"} for one in found.pairs
    )
    assert seen[0].object not in found.model_dump_json(), "objects stand in the evidence, and nowhere else"


async def test_where_the_log_has_gaps_everybody_is_assumed(tmp_path: Any) -> None:
    played = leaking("missing_where")
    played.pass_time(120)
    tenancy(played.world.state, 0).dials.unlogged = True
    found = await ledger(played, tmp_path)
    assert not found.complete and len(found.owners) == len(found.viewers) == len(played.world.state.tenants)


async def test_nobody_is_left_off_the_list_unsaid(tmp_path: Any) -> None:
    played = stage()
    names = tuple(sorted(played.world.state.tenants)[:3])
    order = TraceTenants(service=SERVICE, side="owners", names=names, incident_id="inc")
    done = await attempt(LeakEvidence.recipients, evidence(played, tmp_path), order, played.call())
    assert done.after["count"] == 3 and "@" not in done.model_dump_json()
    played.world.state.tenants[names[0]].contact = ""
    assert names[0] in await refused(lambda: attempt(LeakEvidence.recipients, evidence(played, tmp_path), order, played.call()))


async def test_headers_of_the_cdn_are_kept_before_anything_is_changed(tmp_path: Any) -> None:
    played = leaking("cdn")
    system = CdnEvidence(Cdn(played.client("/cdn")), EvidenceStore(Folder(tmp_path), None))
    done = await attempt(CdnEvidence.keep, system, SampleExport(kept_path="files.get", incident_id="inc"), played.call())
    assert done.after["samples"] == 20 and done.after["foreign"] == 20 and done.after["without_vary"] == 20
