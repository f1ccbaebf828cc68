"""What breaks a service and what mends it: the right mitigation lowers the errors, the wrong one does not."""

from typing import Any

import pytest

from practice.services.deploying import deploy
from practice.world.stage import Stage, staged
from practice.world.world import World

GOOD = 0.01
"""A healthy service stays far below this."""


def errors(stage: Stage, service: str = "api", window: str = "2m", **labels: str) -> float:
    named = ",".join(f'{k}="{v}"' for k, v in {"service": service, **labels}.items())
    failed = f'(sum(rate(service_requests_total{{{named},outcome="error"}}[{window}])) or vector(0))'
    return stage.value(f'{failed} / sum(rate(service_requests_total{{{named},outcome!~"limited|refused"}}[{window}]))')


def rps(stage: Stage, window: str = "2m", **labels: str) -> float:
    named = ",".join(f'{k}="{v}"' for k, v in labels.items())
    return stage.value(f"sum(rate(service_requests_total{{{named}}}[{window}]))")


def p99(stage: Stage, service: str = "api") -> float:
    buckets = f'sum by (le) (rate(service_request_duration_seconds_bucket{{service="{service}"}}[2m]))'
    return stage.value(f"histogram_quantile(0.99, {buckets})")


async def edit(stage: Stage, service: str = "api", **attributes: Any) -> None:
    await stage.must("POST", "/practice/world", {"services": {service: attributes}})


async def breaks(stage: Stage, kind: str, service: str = "api", **more: Any) -> None:
    await stage.must("POST", "/practice/service-faults", {"service": service, "kind": kind, **more})


async def roll_to(stage: Stage, split: dict[str, float], service: str = "api") -> None:
    await edit(stage, service, places={region: {"split": split} for region in ("eu-west", "us-east")})


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_bad_revision_fails_and_rolling_its_split_back_ends_that(seed: int) -> None:
    async with staged(World(seed=seed, following=True)) as stage:
        stage.forward(1800)
        assert errors(stage, window="30m") < 0.002
        assert rps(stage, "30m", service="api") == pytest.approx(6, rel=0.1)
        new = (await stage.must("POST", "/practice/deploys", {"service": "api", "error_rate": 0.4, "latency_factor": 3.0}))["revision"]
        stage.forward(300)
        assert new["name"] == "api-00042"
        assert errors(stage) == pytest.approx(0.4, abs=0.08)
        assert errors(stage, revision="api-00042") > 0.3
        assert p99(stage) > 2 * 0.4
        assert errors(stage, "orchestrator") < GOOD
        assert stage.world.state.fleet.services["api"].revisions["api-00042"].green_minutes == 0
        await roll_to(stage, {"api-00041": 1.0})
        stage.forward(180)
        assert errors(stage) < GOOD
        assert p99(stage) < 1.2 * 0.4
        assert rps(stage, service="api", revision="api-00042") == 0


async def test_a_tenth_of_the_traffic_on_a_bad_revision_is_a_tenth_of_the_errors(stage: Stage) -> None:
    await stage.must("POST", "/practice/deploys", {"service": "api", "error_rate": 0.5})
    await roll_to(stage, {"api-00041": 0.9, "LATEST": 0.1})
    stage.forward(600)
    assert errors(stage, window="5m") == pytest.approx(0.05, abs=0.02)


async def test_what_is_pinned_is_not_moved_by_a_deploy_and_the_newest_replica_set_is(stage: Stage) -> None:
    await roll_to(stage, {"api-00041": 1.0})
    await stage.must("POST", "/practice/deploys", {"service": "api", "error_rate": 0.5})
    await stage.must("POST", "/practice/deploys", {"service": "orchestrator", "error_rate": 0.5})
    stage.forward(300)
    assert errors(stage) < GOOD
    assert errors(stage, "orchestrator") > 0.4
    for place in stage.world.state.fleet.services["orchestrator"].places.values():
        place.history.append("orchestrator-00041")  # as an undone rollout does: the old one is wanted again, and newest
    stage.forward(180)
    assert errors(stage, "orchestrator") < GOOD


async def test_a_revision_gathers_green_minutes_while_it_serves_within_the_slo(stage: Stage) -> None:
    green = 'service_revision_green_minutes{service="api",revision="%s"}'
    before = stage.value(green % "api-00041")
    stage.forward(1200)
    assert stage.value(green % "api-00041") == before + 20
    assert stage.value(green % "api-00040") == 4300
    deploy(stage.world, "api", actor="ci", what="", error_rate=0.1)
    stage.forward(600)
    assert stage.value(green % "api-00042") == 0
    assert stage.value(green % "api-00041") == before + 20


async def test_a_bad_artefact_hurts_everybody_who_reads_it_and_rolling_an_innocent_deploy_back_changes_nothing(stage: Stage) -> None:
    await stage.must("POST", "/practice/deploys", {"service": "api", "what": "new colours"})
    spoilt = await stage.must("POST", "/practice/feeds/routing-rules", {"bad": True, "error_rate": 0.4})
    assert spoilt["version"] == spoilt["last_good"] + 1
    stage.forward(300)
    assert errors(stage) > 0.3
    assert errors(stage, "orchestrator") > 0.3
    await roll_to(stage, {"api-00041": 1.0})
    stage.forward(300)
    assert errors(stage) > 0.3
    feed = stage.world.state.fleet.feeds["routing-rules"]
    made = feed.version
    assert made > spoilt["version"]  # and every new version is bad again
    feed.running = False
    stage.forward(600)
    assert (feed.version, errors(stage) > 0.3) == (made, True)
    feed.pinned = feed.last_good
    stage.forward(180)
    assert errors(stage) < GOOD
    assert errors(stage, "orchestrator") < GOOD
    assert stage.value('artefact_read_version{feed="routing-rules"}') == spoilt["last_good"]
    assert stage.value('artefact_version{feed="routing-rules"}') == made


async def test_a_mended_generator_makes_good_versions_again(stage: Stage) -> None:
    await stage.must("POST", "/practice/feeds/routing-rules", {"bad": True})
    stage.forward(300)
    mended = await stage.must("POST", "/practice/feeds/routing-rules", {"bad": False})
    assert mended["last_good"] == mended["version"]
    stage.forward(180)
    assert errors(stage) < GOOD


async def test_one_region_fails_its_own_customers_and_draining_it_ends_that(stage: Stage) -> None:
    await breaks(stage, "region", region="eu-west", rate=0.6)
    stage.forward(300)
    assert errors(stage, region="eu-west") > 0.5
    assert errors(stage, region="us-east") < GOOD
    hit = {t.residency: [] for t in stage.world.state.tenants.values()}  # type: ignore[var-annotated]
    for tenant in stage.world.state.tenants.values():
        ratio = 'sum(increase(tenant_requests_total{service="api",tenant="%s"%s}[5m]))'
        failed, every = stage.value(ratio % (tenant.name, ',outcome="error"')), stage.value(ratio % (tenant.name, ""))
        hit[tenant.residency].append(failed / every > 0.05)
    assert all(hit["eu"])
    assert not any(hit["us"])
    failing = stage.value('count(avg_over_time(synthetic_ok{service="api"}[5m]) < 0.7)')
    assert failing == 3  # ams and fra are near, and from sin the first of two equal regions serves
    await edit(stage, weights={"eu-west": 0.0, "us-east": 1.0})
    stage.forward(180)
    assert errors(stage) < GOOD
    assert rps(stage, service="api", region="eu-west", outcome="ok") == 0
    assert rps(stage, service="api", region="us-east", outcome="ok") == pytest.approx(6, rel=0.2)


async def test_too_much_load_fails_and_slows_and_more_instances_take_a_minute_to_help(stage: Stage) -> None:
    await breaks(stage, "load", factor=4.0)
    stage.forward(300)
    assert errors(stage) == pytest.approx(1 / 3, abs=0.08)  # 24 requests/s on 16
    assert p99(stage) > 2 * 0.4
    assert stage.world.state.fleet.services["api"].used_rps["eu-west"] == pytest.approx(12, rel=0.4)
    await edit(stage, places={region: {"least": 8} for region in ("eu-west", "us-east")})
    stage.forward(15)
    assert 4 < stage.value('service_replicas{service="api",region="eu-west"}') < 8
    stage.forward(60)
    assert stage.value('service_capacity_rps{service="api",region="eu-west"}') == 16
    stage.forward(180)
    assert errors(stage) < GOOD


async def test_a_limit_turns_away_what_is_too_much_and_that_is_no_error(stage: Stage) -> None:
    await breaks(stage, "load", factor=4.0)
    await edit(stage, gateway={"rate_limit_rps": 12.0})
    stage.forward(300)
    assert errors(stage) < GOOD
    assert stage.value('sum(rate(service_limited_total{service="api"}[2m]))') == pytest.approx(12, rel=0.15)
    assert rps(stage, service="api", outcome="limited") == pytest.approx(12, rel=0.15)
    assert sum(stage.world.state.fleet.services["api"].used_rps.values()) == pytest.approx(12, rel=0.02)


async def test_a_breaker_turns_the_errors_of_a_dependency_into_degraded_answers(stage: Stage) -> None:
    await breaks(stage, "dependency", dependency="database", rate=0.6)
    stage.forward(300)
    fleet = stage.world.state.fleet
    assert errors(stage) > 0.5
    assert p99(stage) > 2 * 0.4
    assert (fleet.dependencies["database"], fleet.saturation["database"] > 0.8) == (False, True)
    await edit(stage, gateway={"breaker": True})
    stage.forward(180)
    assert errors(stage) < 0.05
    assert rps(stage, service="api", outcome="degraded") > 3
    assert p99(stage) < 1.2 * 0.4
    await stage.must("DELETE", "/practice/service-faults")
    stage.forward(180)
    assert fleet.dependencies["database"]
    assert rps(stage, service="api", outcome="degraded") == 0


async def test_writes_are_spoilt_until_they_are_refused(stage: Stage) -> None:
    await breaks(stage, "integrity", rate=0.5)
    stage.forward(300)
    services = stage.world.state.fleet.services
    spoilt = "sum(increase(service_integrity_errors_total[2m]))"
    written = 'sum(rate(service_writes_total{service="api",outcome="%s"}[2m]))'
    assert errors(stage) == pytest.approx(0.1, abs=0.04)  # a fifth are writes
    assert stage.value(spoilt) > 30
    assert services["api"].integrity_errors_per_minute > 10
    await edit(stage, gate={"admitted": 0.0})
    stage.forward(180)
    assert errors(stage) < GOOD
    assert (stage.value(spoilt), services["api"].integrity_errors_per_minute) == (0, 0)
    assert stage.value(written % "refused") == pytest.approx(1.2, rel=0.3)
    assert stage.value(written % "ok") == 0
    await stage.must("DELETE", "/practice/service-faults/api")
    await edit(stage, gate={"admitted": 0.1})
    stage.forward(300)
    assert stage.value(written % "ok") == pytest.approx(0.12, abs=0.08)


async def test_a_silent_outage_shows_in_what_does_not_arrive(stage: Stage) -> None:
    await breaks(stage, "dependency", service="*", dependency="dns", rate=0.9)
    stage.forward(300)
    for service in ("api", "orchestrator"):
        assert errors(stage, service) < 0.05
        assert rps(stage, service=service) < 1.5
    assert stage.value('count(avg_over_time(synthetic_ok{service="api"}[2m]) < 0.5)') == 5
    assert not stage.world.state.fleet.dependencies["dns"]


async def test_a_flag_that_is_on_breaks_it_and_off_does_not(stage: Stage) -> None:
    await breaks(stage, "flag", flag="checkout.beta", rate=0.4)
    stage.forward(180)
    assert errors(stage) > 0.3
    await stage.must("POST", "/unleash/api/admin/projects/default/features/checkout.beta/environments/production/off")
    stage.forward(180)
    assert errors(stage) < GOOD


@pytest.mark.parametrize(
    ("revision", "edits"),
    [
        ("api-00034", {}),  # its image was tidied away
        ("api-00035", {}),  # it knows only an older schema
        ("api-00040", {"schema": 6}),
        ("api-00040", {"revisions": {"api-00040": {"ready": False}}}),
        ("api-00040", {"revisions": {"api-00040": {"secrets": {"DATABASE_URL": 1}}}}),
    ],
)
async def test_a_revision_that_cannot_run_serves_nobody(stage: Stage, revision: str, edits: dict[str, Any]) -> None:
    stage.world.state.fleet.disabled_secrets.append("DATABASE_URL:1")
    await roll_to(stage, {revision: 1.0})
    await edit(stage, **edits)
    stage.forward(180)
    assert errors(stage) == 1


async def test_what_no_deploy_can_undo_a_migration_has_done(stage: Stage) -> None:
    await stage.must("POST", "/practice/deploys", {"service": "api", "kind": "migration", "schema_min": 6, "reversible": False})
    stage.forward(180)
    assert errors(stage) < GOOD
    await roll_to(stage, {"api-00041": 1.0})
    stage.forward(180)
    assert errors(stage) == 1


def samples(world: World) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]:
    """Without instants: two worlds do not begin at the same one."""
    counted = (series for series in world.metrics if not series.name.endswith("_timestamp_seconds"))
    return {(s.name, tuple(sorted(s.labels.items()))): list(s.values) for s in counted}


def passed(services: tuple[str, ...], seed: int = 7) -> World:
    world = World(seed=seed, following=True, services=services, start=1_795_500_000.0)
    world.clock.show(world.clock.now() + 1800)
    world.advance()
    return world


def test_the_services_do_not_disturb_the_traffic_of_the_models() -> None:
    alone, among = samples(passed(())), samples(passed(("api", "orchestrator")))
    assert alone == {key: values for key, values in among.items() if key in alone}
    assert {dict(labels).get("service") for _, labels in among.keys() - alone.keys()} == {"api", "orchestrator", None}


def test_the_same_seed_is_the_same_traffic_and_another_is_not() -> None:
    first, second, third = passed(("a", "b")), passed(("a", "b")), passed(("a", "b"), seed=8)
    assert samples(first) == samples(second) != samples(third)
    assert first.state == second.state


def test_any_names_will_do_but_each_only_once() -> None:
    fleet = World(following=True, services=("web", "jobs", "search")).state.fleet
    assert [(s.name, s.platform, s.repository) for s in fleet.services.values()] == [
        ("web", "cloud_run", "acme/web"), ("jobs", "kubernetes", "acme/jobs"), ("search", "cloud_run", "acme/search")
    ]  # fmt: skip
    assert World(following=True, services=()).state.fleet.changes == []
    with pytest.raises(ValueError, match="name of its own"):
        World(following=True, services=("chat",))
