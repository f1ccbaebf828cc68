"""Suspects and causes: pure, total, and the same in whatever order the evidence comes. An innocent deploy is not convicted for being last."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.capacity.autoscaler import Bounds, Capacity, Instances
from activities.edge.health import Dependencies, HealthMap, Inside
from activities.feeds.feeds import Feed, Feeding, FeedList
from activities.metrics.onset import Onset, Shape
from activities.metrics.telemetry import BlastRadius, EstimateQuality
from activities.platform.change_feed import KINDS, Change, Changes
from activities.write_gate.write_gate import WriteGate, Writes
from workflows.playbooks.production_outage.diagnosis import Cause, diagnose
from workflows.playbooks.production_outage.findings import TriageFindings, rank

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=5)
EU, US = "eu-west", "us-east"
BOTH = {EU: 0.4, US: 0.4}


def change(id: str = "chg-1", kind: str = "deploy", before: float = 0.5, services: tuple[str, ...] = ("api",), **more: Any) -> Change:
    """A change so many minutes before the first bad sample."""
    return Change(id=id, kind=kind, at=BEGAN - timedelta(minutes=before), actor="ci", services=services, what="something", **more)


def onset(shape: Shape = Shape.STEP, regions: dict[str, float] | None = None, **more: Any) -> Onset:
    found = BOTH if regions is None else regions
    return Onset(service="api", first_bad=BEGAN, shape=shape, errors_by_region=found, at=NOW, **more)


def radius(services: tuple[str, ...] = ("api",), regions: dict[str, float] | None = None) -> BlastRadius:
    return BlastRadius(services=services, error_ratio_by_region=regions or {}, quality=EstimateQuality.HIGH, at=NOW)


def health(ill: tuple[str, ...] = (), outside: float = 0.6, **inside: Any) -> HealthMap:
    seen = {region: Inside(ok=region not in ill, **inside) for region in (EU, US)}
    return HealthMap(
        service="api", inside=seen, outside={r: outside if r in ill else 1.0 for r in (EU, US)}, vantages={"ams": 0.9}, answered=5, wanted=3,
        at=NOW,
    )  # fmt: skip


def capacity(used: float = 3.0, saturation: float = 0.3) -> Capacity:
    rows = {region: Instances(replicas=4, ready=4, least=4, most=20) for region in (EU, US)}
    return Capacity(
        value=Bounds(least={EU: 4, US: 4}), service="api", regions=rows, capacity_rps={EU: 8.0, US: 8.0}, used_rps={EU: used, US: used},
        saturation={"database": saturation},
    )  # fmt: skip


def gate(errors: float | None = 0.0, seen: float | None = 0.0, *, migrating: bool | None = False) -> WriteGate:
    return WriteGate(
        value=Writes(admitted=1.0), schema_version=5, migrating=migrating, integrity_errors_per_minute=errors,
        integrity_errors_seen=seen,
    )  # fmt: skip


def feed(name: str = "rules", *, read: int = 10, good: int = 10, services: tuple[str, ...] = ("api", "orchestrator")) -> Feed:
    return Feed(
        value=Feeding(running=True, pinned=None), name=name, services=services, newest=read, read=read, last_good=good, period_seconds=120,
        made_at=BEGAN,
    )  # fmt: skip


def dependencies(*down: str) -> Dependencies:
    return Dependencies(up={name: name not in down for name in ("load_balancer", "dns", "certificate", "database", "cache")}, at=NOW)


def changes(*found: Change, gaps: tuple[str, ...] = ()) -> Changes:
    return Changes(changes=found, kinds=KINDS, gaps=gaps, since=NOW - timedelta(hours=24), until=NOW)


def findings(*found: Change, **more: Any) -> TriageFindings:
    usual: dict[str, Any] = {
        "onset": onset(), "health": health(ill=(EU, US)), "radius": radius(), "changes": changes(*found), "dependencies": dependencies(),
        "capacity": capacity(), "gate": gate(), "feeds": FeedList(feeds=(feed(),), at=NOW),
    }  # fmt: skip
    return TriageFindings(service="api", at=NOW, **{**usual, **more})


# ---- which change ----


def test_the_nearest_change_of_what_fails_is_first() -> None:
    near, far = change("near", before=1), change("far", before=25)
    other, late = change("other", before=0, services=("orchestrator",)), change("late", before=-3)
    ranked = rank(findings(late, other, far, near))
    assert [s.change.id for s in ranked[:2]] == ["near", "far"]
    by = {s.change.id: s for s in ranked}
    assert "1 min" in by["near"].reasons[0] or "60 s" in by["near"].reasons[0]
    assert by["late"].score <= 0.05 and "too late to be its cause" in by["late"].reasons[0]
    assert by["other"].score <= 0.05 and "which do not fail" in by["other"].reasons[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_change_is_as_suspect_as_a_deploy(kind: str) -> None:
    (suspect,) = rank(findings(change(kind=kind, before=0.5)))
    assert suspect.score == rank(findings(change(before=0.5)))[0].score
    assert diagnose(findings(change(kind=kind))).change == change(kind=kind)


def test_what_concerns_everything_is_suspect_everywhere() -> None:
    (suspect,) = rank(findings(change(kind="vendor", services=())))
    assert 0.4 < suspect.score < rank(findings(change()))[0].score


def test_a_change_of_another_region_is_not_suspected() -> None:
    only_us = findings(change(details={"region": EU}), onset=onset(regions={EU: 0.0, US: 0.5}))
    assert rank(only_us)[0].score <= 0.05
    assert rank(findings(change(details={"region": US}), onset=onset(regions={EU: 0.0, US: 0.5})))[0].score > 0.9


def test_a_slow_start_makes_older_changes_suspect() -> None:
    old = change(before=40)
    assert rank(findings(old, onset=onset(Shape.RAMP)))[0].score > 2 * rank(findings(old))[0].score


def test_time_is_policy_time() -> None:
    half_a_second = change(before=0.5 / 60)
    slow = findings(change(before=1), pace=120.0)  # two hours of policy time
    assert rank(slow)[0].score < 0.1 < rank(findings(half_a_second, pace=120.0))[0].score


# ---- which cause ----


def test_a_deploy_at_the_first_bad_sample_is_the_cause() -> None:
    found = diagnose(findings(change()))
    assert (found.cause, found.which, found.missing) == (Cause.CHANGE, "chg-1", ())
    assert found.confidence >= 0.75
    assert "probably change chg-1" in found.in_words()


def test_the_revision_that_fails_beside_healthy_ones_is_convicted() -> None:
    errors = {"api-42": 0.5, "api-41": 0.001}
    convicted = diagnose(findings(change(details={"revision": "api-42"}), onset=onset(errors_by_revision=errors)))
    assert convicted.cause is Cause.CHANGE and convicted.confidence > 0.9
    acquitted = diagnose(findings(change(details={"revision": "api-42"}), onset=onset(errors_by_revision={"api-42": 0.4, "api-41": 0.4})))
    assert acquitted.cause is Cause.UNKNOWN and "older revisions fail as often" in " ".join(acquitted.reasons)


def test_a_revision_that_serves_nowhere_is_not_the_cause_of_what_goes_on() -> None:
    gone, now = change("gone", details={"revision": "api-42"}), change("now", before=0.2, details={"revision": "api-43"})
    found = diagnose(findings(gone, now, health=health(ill=(EU, US), revisions={"api-43": 1.0})))
    assert found.which == "now" and found.confidence > 0.7


def test_services_that_deployed_apart_and_fail_alike_point_at_the_feed_they_share() -> None:
    found = diagnose(
        findings(
            change("a", before=0.3), change("b", before=0.2, services=("orchestrator",)), radius=radius(("api", "orchestrator")),
        )
    )  # fmt: skip
    assert (found.cause, found.which) == (Cause.ARTEFACT, "rules")
    assert "have no change in common, and all read rules" in " ".join(found.reasons)
    assert {lead.which for lead in found.others} >= {"a", "b"}
    known_bad = diagnose(
        findings(
            change("a", before=0.3), change("b", before=0.2, services=("orchestrator",)), radius=radius(("api", "orchestrator")),
            feeds=FeedList(feeds=(feed(read=12, good=10),), at=NOW),
        )
    )  # fmt: skip
    assert known_bad.cause is Cause.ARTEFACT and known_bad.confidence > found.confidence and known_bad.feed is not None


def test_one_change_of_all_that_fail_outranks_the_feed_they_share() -> None:
    found = diagnose(findings(change(services=("api", "orchestrator"), kind="config"), radius=radius(("api", "orchestrator"))))
    assert found.cause is Cause.CHANGE


def test_a_feed_that_others_read_without_trouble_is_not_the_cause() -> None:
    well = diagnose(findings(feeds=FeedList(feeds=(feed(read=12, good=10),), at=NOW)))
    hit = diagnose(findings(feeds=FeedList(feeds=(feed(read=12, good=10),), at=NOW), radius=radius(("api", "orchestrator"))))
    assert hit.confidence > well.confidence


def test_trouble_that_comes_back_points_at_what_is_made_anew() -> None:
    once = diagnose(findings(feeds=FeedList(feeds=(feed(read=12, good=10),), at=NOW)))
    again = diagnose(findings(feeds=FeedList(feeds=(feed(read=12, good=10),), at=NOW), onset=onset(Shape.PERIODIC)))
    assert again.cause is Cause.ARTEFACT and again.confidence > once.confidence


def test_one_ill_region_is_the_region_unless_something_was_changed_there() -> None:
    one = {"onset": onset(regions={EU: 0.001, US: 0.5}), "health": health(ill=(US,))}
    found = diagnose(findings(change(), **one))
    assert (found.cause, found.which) == (Cause.REGION, US) and found.confidence > 0.7
    assert diagnose(findings(change(details={"region": US}), **one)).cause is Cause.CHANGE


def test_more_than_can_be_served_is_load() -> None:
    found = diagnose(findings(change(before=20), capacity=capacity(used=12.0), onset=onset(Shape.RAMP)))
    assert found.cause is Cause.LOAD and "150% of the capacity" in " ".join(found.reasons)


@pytest.mark.parametrize("name", ["database", "dns"])
def test_what_is_down_is_the_cause(name: str) -> None:
    found = diagnose(findings(change(before=0.2), dependencies=dependencies(name)))
    assert (found.cause, found.which) == (Cause.DEPENDENCY, name)


def test_well_inside_and_out_of_reach_is_something_in_front() -> None:
    seen = health().model_copy(update={"outside": {EU: 0.1, US: 0.2}})
    found = diagnose(findings(health=seen))
    assert (found.cause, found.which) == (Cause.DEPENDENCY, "in front of the service")
    assert diagnose(findings(health=seen, dependencies=dependencies("certificate"))).which == "certificate"


def test_a_full_database_under_no_unusual_load_is_the_cause_and_under_load_is_not() -> None:
    assert diagnose(findings(capacity=capacity(saturation=0.99))).which == "database"
    assert diagnose(findings(capacity=capacity(used=12.0, saturation=0.99))).cause is Cause.LOAD


def test_data_that_does_not_fit_together_goes_before_a_rollback() -> None:
    found = diagnose(findings(change(before=0.2), gate=gate(errors=30.0, seen=50.0)))
    assert found.cause is Cause.DATA and found.which == "api"
    moved = change("moved", kind="migration", before=0.5, reversible=False)
    assert diagnose(findings(moved, gate=gate(errors=30.0))).which == "moved"


def test_what_is_not_known_is_said_and_proves_nothing() -> None:
    found = diagnose(TriageFindings(service="api", at=NOW))
    assert (found.cause, found.confidence) == (Cause.UNKNOWN, 0.0)
    assert len(found.missing) == 7
    partly = diagnose(findings(changes=changes(gaps=("iam",)), health=health().model_copy(update={"answered": 1})))
    assert set(partly.missing) == {"the change feed cannot see iam", "only 1 of 3 vantage points got an answer"}


def test_two_causes_that_are_as_likely_are_less_certain_than_one() -> None:
    one = diagnose(findings(dependencies=dependencies("database")))
    two = diagnose(findings(dependencies=dependencies("database"), gate=gate(errors=30.0, seen=50.0)))
    assert two.confidence < one.confidence


# ---- properties ----

services = st.sampled_from(["api", "orchestrator", "chat"])
ratios = st.floats(0, 1)
some = st.lists(services, max_size=3, unique=True).map(tuple)
told = st.sampled_from([{}, {"region": EU}, {"regions": [US]}, {"revision": "api-42"}, {"region": 7, "revision": None}])
any_change = st.builds(
    Change,
    id=st.text(max_size=6),
    kind=st.sampled_from(KINDS),
    at=st.integers(-2000, 120).map(lambda m: BEGAN + timedelta(minutes=m)),
    actor=st.just("ci"),
    services=some,
    details=told,
)
by_region = st.dictionaries(st.sampled_from([EU, US, "ap-south"]), ratios)
any_clues = st.builds(
    TriageFindings,
    service=services,
    at=st.just(NOW),
    pace=st.sampled_from([1.0, 120.0]),
    onset=st.none()
    | st.builds(
        Onset,
        service=st.just("api"),
        first_bad=st.none() | st.just(BEGAN),
        shape=st.sampled_from(Shape),
        slow=st.booleans(),
        errors_by_revision=st.dictionaries(st.sampled_from(["api-41", "api-42"]), ratios),
        errors_by_region=by_region,
        blind=st.booleans(),
        at=st.just(NOW),
    ),
    health=st.none()
    | st.builds(
        HealthMap,
        service=st.just("api"),
        inside=st.dictionaries(
            st.sampled_from([EU, US]),
            st.builds(
                Inside,
                ok=st.none() | st.booleans(),
                revisions=st.dictionaries(st.sampled_from(["api-41", "api-42"]), ratios),
                dependencies=st.dictionaries(st.sampled_from(["database", "cache"]), st.booleans()),
            ),
        ),
        outside=st.dictionaries(st.sampled_from([EU, US]), st.none() | ratios),
        vantages=st.just({}),
        answered=st.integers(0, 5),
        wanted=st.just(3),
        at=st.just(NOW),
    ),
    radius=st.none() | st.builds(radius, some, by_region),
    changes=st.none() | st.lists(any_change, max_size=6).map(lambda found: changes(*found)),
    dependencies=st.none() | st.lists(st.sampled_from(["database", "dns"]), max_size=2).map(lambda down: dependencies(*down)),
    capacity=st.none() | st.builds(capacity, st.floats(0, 50), ratios),
    gate=st.none() | st.builds(gate, st.none() | st.floats(0, 99), st.none() | st.floats(0, 99), migrating=st.none() | st.booleans()),
    feeds=st.none()
    | st.lists(st.builds(feed, st.sampled_from(["rules", "prices"]), read=st.integers(8, 12), services=some), max_size=2, unique_by=lambda f: f.name)
    .map(lambda found: FeedList(feeds=tuple(found), at=NOW)),
)  # fmt: skip


@given(any_clues)
@settings(max_examples=300)
def test_there_is_always_an_answer_with_a_reason_and_a_measure(found: TriageFindings) -> None:
    said = diagnose(found)
    assert 0 <= said.confidence <= 1
    assert said.in_words()
    assert (said.cause is Cause.UNKNOWN) == (said.confidence < 0.4)
    if said.cause is not Cause.UNKNOWN:
        assert said.reasons
    if said.cause is Cause.CHANGE:
        assert said.change is not None and said.change.id == said.which
    if said.cause is Cause.ARTEFACT:
        assert said.feed is not None and said.feed.name == said.which
    assert all(0 < suspect.score <= 1 for suspect in said.suspects)


@given(any_clues, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_the_order_of_the_evidence_does_not_matter(found: TriageFindings, rng: random.Random) -> None:
    assert diagnose(_shuffled(found, rng)) == diagnose(found)


@given(any_clues, any_change)
@settings(max_examples=200)
def test_a_change_that_came_long_after_changes_nothing_but_itself(found: TriageFindings, other: Change) -> None:
    if found.changes is None or found.began() is None:
        return
    late = other.model_copy(update={"id": "late", "at": BEGAN + timedelta(hours=3)})
    more = found.model_copy(update={"changes": changes(*found.changes.changes, late)})
    assert diagnose(more) == diagnose(found)


def _shuffled(found: TriageFindings, rng: random.Random) -> TriageFindings:
    def mixed(mapping: dict[str, Any]) -> dict[str, Any]:
        return dict(rng.sample(list(mapping.items()), len(mapping)))

    edits: dict[str, Any] = {}
    if found.changes:
        edits["changes"] = changes(*rng.sample(found.changes.changes, len(found.changes.changes)))
    if found.feeds:
        edits["feeds"] = found.feeds.model_copy(update={"feeds": tuple(rng.sample(found.feeds.feeds, len(found.feeds.feeds)))})
    if found.health:
        seen = {region: inside.model_copy(update={"revisions": mixed(inside.revisions)}) for region, inside in found.health.inside.items()}
        edits["health"] = found.health.model_copy(update={"inside": mixed(seen), "outside": mixed(found.health.outside)})
    if found.onset:
        edits["onset"] = found.onset.model_copy(
            update={n: mixed(getattr(found.onset, n)) for n in ("errors_by_revision", "errors_by_region")}
        )
    if found.radius:
        edits["radius"] = found.radius.model_copy(
            update={
                "services": tuple(rng.sample(found.radius.services, len(found.radius.services))),
                "error_ratio_by_region": mixed(found.radius.error_ratio_by_region),
            }
        )
    return found.model_copy(update=edits)
