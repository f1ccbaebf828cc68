"""Two times: the world's inside, the real one at the faces' edge."""

import time
from pathlib import Path

import pytest

from practice.metrics.promql import compiled
from practice.world.clock import Clock, from_rfc3339, rfc3339
from practice.world.stage import Stage, staged
from practice.world.world import World


def test_world_time_runs_at_its_pace() -> None:
    clock = Clock(pace=120, start=1000.0)
    assert clock.to_world(1010.0) == 1000.0 + 1200.0
    assert clock.to_real(clock.to_world(1010.0)) == 1010.0


def test_a_following_clock_never_goes_back() -> None:
    clock = Clock(following=True, start=1000.0)
    clock.show(2000.0)
    clock.show(1500.0)
    assert clock.now() == 2000.0


def test_a_clock_that_changes_its_pace_keeps_the_past() -> None:
    clock = Clock(pace=100, start=time.time() - 10)
    before = clock.to_world(clock.start + 5)
    clock.go(10, said_at=time.time())
    turned = time.time()
    assert clock.to_world(clock.start + 5) == before == clock.start + 500
    assert clock.to_real(before) == pytest.approx(clock.start + 5)
    later = clock.to_world(turned + 20)
    assert later - clock.to_world(turned) == pytest.approx(200, abs=1)
    assert clock.to_real(later) == pytest.approx(turned + 20, abs=0.01)
    clock.go(10, said_at=time.time())
    assert clock.to_world(turned + 20) == later
    clock.go(500, said_at=turned - 60)
    assert clock.pace == 10, "a late call of before is no news"


def test_a_following_clock_has_no_pace() -> None:
    with pytest.raises(ValueError, match="pace"):
        Clock(pace=2, following=True)


def test_rfc3339_both_ways() -> None:
    assert rfc3339(0.5) == "1970-01-01T00:00:00.500Z"
    assert from_rfc3339("1970-01-01T01:00:00+01:00") == 0.0


async def test_at_pace_120_a_query_at_real_now_sees_world_now_and_answers_in_real_time() -> None:
    async with staged(World(pace=120)) as stage:
        stage.world.clock.start -= 30  # as if it had run for half a real minute: an hour of world time
        stage.world.advance()
        now = time.time()
        answer = await stage.call("GET", f"/prom/api/v1/query?query=time()&time={now}")
        at, value = answer.json()["data"]["result"]
        assert at == pytest.approx(now, abs=0.01)
        assert float(value) == pytest.approx(stage.world.clock.to_world(now), abs=0.5)
        rows = await stage.must("GET", f"/prom/api/v1/query_range?query=time()&start={now - 10}&end={now}&step=60")
        points = rows["data"]["result"][0]["values"]
        assert len(points) == 21  # 10 real seconds are 1200 world seconds, in steps of 60 world seconds
        assert points[1][0] - points[0][0] == pytest.approx(0.5, abs=0.01)
        rate = stage.value("sum(rate(service_requests_total{service='chat'}[5m]))")
        assert rate == pytest.approx(12, rel=0.15)  # per world second


async def test_a_following_world_moves_to_what_prometheus_and_the_workflow_header_show(stage: Stage) -> None:
    start = stage.world.clock.now()
    await stage.call("GET", f"/prom/api/v1/query?query=vector(1)&time={start + 100}")
    assert stage.world.clock.now() == pytest.approx(start + 100, abs=0.01)
    await stage.call("GET", "/llm/v1/providers", X_Workflow_Time=rfc3339(start + 500))
    assert stage.world.clock.now() == pytest.approx(start + 500, abs=0.01)
    await stage.call("GET", f"/prom/api/v1/query_range?query=vector(1)&start={start}&end={start + 900}&step=15")
    assert stage.world.clock.now() == pytest.approx(start + 900, abs=0.01)


def test_time_costs_the_same_however_long_a_world_has_stood() -> None:
    """An hour in one jump, and another: no slower per hour, and fast enough for a story to skip over them."""
    world = World(following=True)
    costs = []
    for _ in range(2):
        world.clock.show(world.clock.now() + 3600)
        before = time.process_time()
        world.advance()
        costs.append(time.process_time() - before)
    assert costs[1] < 2 * costs[0] and costs[0] < 2.0, costs


def test_an_hour_of_a_ratio_is_queried_in_no_time() -> None:
    world = World(following=True)
    now = world.clock.now() + 3600
    world.clock.show(now)
    world.advance()
    ratio = compiled('sum(rate(service_requests_total{outcome="error"}[5m]))/sum(rate(service_requests_total[5m]))')
    before = time.process_time()
    ((_, points),) = ratio.range(world.metrics, now - 3600, now, 15)
    assert time.process_time() - before < 1.0, "a screen waits for it"
    assert len(points) == 241


async def test_the_effect_log_is_also_a_file(tmp_path: Path) -> None:
    async with staged(World(following=True, state=tmp_path)) as stage:
        await stage.must("POST", "/slack/api/conversations.create", {"name": "inc"}, Idempotency_Key="k1", X_Incident_Id="INC-1")
        line = (tmp_path / "effects.jsonl").read_text()
        assert '"key": "k1"' in line
        assert '"incident": "INC-1"' in line


async def test_a_blind_store_takes_no_samples(stage: Stage) -> None:
    await stage.must("POST", "/practice/blind", {"on": True})
    stage.forward(600)
    assert stage.value("count(llm_requests_total)") != stage.value("count(llm_requests_total)")
    await stage.must("POST", "/practice/blind", {"on": False})
    stage.forward(60)
    assert stage.value("count(llm_requests_total)") > 0


async def test_the_world_can_be_edited_but_not_bent(stage: Stage) -> None:
    edited = await stage.must("POST", "/practice/world", {"providers": {"borealis": {"parity": 0.93, "quota": {"rpm": 10}}}})
    assert edited["providers"]["borealis"]["parity"] == 0.93
    assert edited["providers"]["borealis"]["quota"]["rpm"] == 10
    for bad in ({"borealis": {"colour": 1}}, {"borealis": {"parity": "high"}}):
        assert (await stage.call("POST", "/practice/world", {"providers": bad})).status_code == 422
    assert (await stage.call("POST", "/practice/world", {"providers": {"nobody": {}}})).status_code == 404


@pytest.mark.parametrize("given", [True, {}, [], None, 5, "yesterday"])
def test_what_is_no_instant_is_a_value_that_is_wrong(given: object) -> None:
    with pytest.raises(ValueError, match=r"instant|isoformat"):
        from_rfc3339(given)


async def test_only_an_incident_hastens_the_world() -> None:
    """A freeze, and clocks that outlive it, go on at the pace at which they began: the world would go to and fro, and an incident see nothing."""
    async with staged(World(pace=120)) as stage:
        for who, pace in (("inc-20261130-api", 1440.0), ("freeze-api", 1440.0), ("clocks-inc-20261130-api", 1440.0)):
            told = {"X_Incident_Id": who, "X_Pace": "1440" if who.startswith("inc-") else "120", "X_Workflow_Time": rfc3339(time.time())}
            await stage.must("GET", "/prom/api/v1/query?query=time()", **told)
            assert stage.world.clock.pace == pace, who
