"""What mitigations do: the right one lowers the errors, the wrong one does not."""

import pytest

from practice.world.stage import Stage, staged
from practice.world.world import World

ERRORS = "sum(rate(service_requests_total{service='chat',outcome='error'}[2m])) / sum(rate(service_requests_total{service='chat'}[2m]))"


async def shift(stage: Stage, tenants: list[str], weights: dict[str, float]) -> None:
    route = await stage.must("GET", "/llm/v1/routes/chat")
    body = {"epoch": route["epoch"] + 1, "tenants": tenants, "weights": weights}
    await stage.must("PUT", "/llm/v1/routes/chat/weights", body, If_Match=route["etag"])


async def retrieval_only(stage: Stage, tenants: list[str]) -> None:
    route = await stage.must("GET", "/llm/v1/routes/chat")
    body = {"epoch": route["epoch"] + 1, "tenants": tenants, "mode": "retrieval_only"}
    await stage.must("PUT", "/llm/v1/routes/chat/modes", body, If_Match=route["etag"])


def free(stage: Stage) -> list[str]:
    return stage.tenants("enterprise", "business", "starter")


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
async def test_the_story_is_the_same_for_every_seed(seed: int) -> None:
    async with staged(World(seed=seed, following=True)) as stage:
        stage.forward(1800)
        assert stage.value(ERRORS.replace("2m", "30m")) <= 0.002
        assert stage.value("sum(rate(service_requests_total{service='chat'}[30m]))") == pytest.approx(12, rel=0.1)
        await stage.break_provider("aurora", "overload", 0.6)
        stage.forward(300)
        assert stage.value(ERRORS) > 0.2
        await shift(stage, free(stage), {"borealis": 1.0})
        stage.forward(180)
        assert 0.03 < stage.value(ERRORS) < 0.2  # the sovereign tenants still suffer
        await retrieval_only(stage, stage.tenants("sovereign"))
        stage.forward(180)
        assert stage.value(ERRORS) < 0.005
        assert stage.value("sum(rate(service_requests_total{outcome='degraded'}[2m]))") > 1


def test_names_differ_by_seed_and_only_they_do() -> None:
    first, second = World(seed=1, following=True).state.tenants, World(seed=2, following=True).state.tenants
    assert set(first) != set(second)
    assert [(t.tier, t.residency, t.rps) for t in first.values()] == [(t.tier, t.residency, t.rps) for t in second.values()]


def test_the_same_seed_is_the_same_world() -> None:
    first, second = (World(seed=3, following=True, start=1_795_500_000.0) for _ in range(2))
    assert first.state == second.state


async def test_the_small_provider_cannot_carry_everyone(stage: Stage) -> None:
    await stage.break_provider("aurora", "overload", 0.6)
    stage.forward(120)
    await shift(stage, free(stage), {"cumulus": 1.0})
    stage.forward(300)
    assert stage.value(ERRORS) > 0.3
    assert stage.value("sum(rate(llm_requests_total{provider='cumulus',outcome='overload'}[2m]))") > 1


async def test_a_jump_topples_a_provider_for_a_minute_and_a_ramp_does_not(stage: Stage) -> None:
    await stage.must("POST", "/practice/world", {"providers": {"borealis": {"capacity_rps": 12.0}}})
    await shift(stage, free(stage), {"borealis": 1.0})  # 9.4 of 12 requests/s at once
    stage.forward(45)
    assert stage.value("sum(increase(llm_requests_total{provider='borealis',outcome='overload'}[1m]))") > 50
    stage.forward(240)
    assert stage.value(ERRORS) < 0.01
    async with staged() as other:
        await other.must("POST", "/practice/world", {"providers": {"borealis": {"capacity_rps": 12.0}}})
        for share in (0.25, 0.5, 0.75, 1.0):
            await shift(other, free(other), {"borealis": share, "aurora": 1 - share})
            other.forward(90)
        assert other.value(ERRORS.replace("2m", "6m")) < 0.01


async def test_retries_add_load_and_fewer_attempts_take_it_away(stage: Stage) -> None:
    await stage.break_provider("aurora", "overload", 0.6)
    stage.forward(300)
    calls = "sum(rate(llm_requests_total[2m]))"
    stormy = stage.value(calls)
    policy = await stage.must("GET", "/llm/v1/client-policy")
    calmer = {k: v for k, v in policy.items() if k not in ("etag", "changed_by")} | {"max_attempts": 2, "backoff": "exponential_jitter"}
    await stage.must("PUT", "/llm/v1/client-policy", calmer, If_Match=policy["etag"])
    stage.forward(300)
    assert stage.value(calls) < stormy * 0.7
    assert (await stage.must("GET", "/llm/v1/calls"))["retry_share"] < 0.5


async def test_the_breaker_opens_on_a_failing_provider_and_closes_again(stage: Stage) -> None:
    policy = await stage.must("GET", "/llm/v1/client-policy")
    breaker = {"enabled": True, "failure_ratio": 0.5, "min_calls": 20, "window_seconds": 60}
    body = {"max_attempts": 2, "backoff": "none", "retry_budget": 1.0, "breaker": breaker}
    await stage.must("PUT", "/llm/v1/client-policy", body, If_Match=policy["etag"])
    await stage.break_provider("aurora", "down", for_seconds=300)
    stage.forward(60)
    assert stage.value("max_over_time(llm_breaker_open{provider='aurora'}[1m])") == 1
    stage.forward(360)
    assert (await stage.must("GET", "/llm/v1/calls"))["breaker"]["aurora"] == "CLOSED"


async def test_a_flapping_provider_is_well_half_of_the_time(stage: Stage) -> None:
    await stage.break_provider("aurora", "flapping", 0.9, period_seconds=240)
    failing = "sum(rate(llm_requests_total{provider='aurora',outcome='overload'}[1m])) > bool 1"
    seen = []
    for _ in range(4):
        stage.forward(105)
        seen.append(stage.value(failing))
        stage.forward(15)
    assert seen == [1, 0, 1, 0]


async def test_a_fault_begins_and_ends_when_it_was_told(stage: Stage) -> None:
    await stage.break_provider("aurora", "auth", 0.8, after_seconds=600, for_seconds=300)
    stage.forward(590)
    assert stage.value(ERRORS) < 0.01
    stage.forward(250)
    assert stage.value(ERRORS) > 0.7
    stage.forward(400)
    assert stage.value(ERRORS) < 0.01


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overload", "overload"), ("rate_limit", "rate_limit"), ("spend_cap", "spend_cap"), ("auth", "auth"), ("timeout", "timeout"),
        ("bad_request", "bad_request"), ("content_filter", "content_filter"), ("down", "overload"),
    ],
)  # fmt: skip
async def test_every_kind_of_failure_shows_as_its_outcome(stage: Stage, kind: str, outcome: str) -> None:
    await stage.break_provider("aurora", kind, 0.5)
    stage.forward(120)
    share = "sum(rate(llm_requests_total{outcome='%s'}[1m])) / sum(rate(llm_requests_total[1m]))"
    assert stage.value(share % outcome) > 0.3
    log = (await stage.must("GET", "/llm/v1/calls?window=60"))["calls"]
    assert sum(row["by_class"][outcome.upper()] for row in log) > 0
    assert all(sum(row["by_class"].values()) == row["n"] for row in log)


async def test_slow_answers_are_late_and_wrong_ones_fail_the_samples(stage: Stage) -> None:
    await stage.break_provider("aurora", "slow", 0.5)
    await stage.break_provider("aurora", "wrong_but_200", 0.5)
    stage.forward(300)
    assert stage.value(ERRORS) < 0.01
    late = "histogram_quantile(0.95, sum by (le) (rate(llm_request_duration_seconds_bucket{provider='aurora'}[2m])))"
    assert stage.value(late) > 7
    passing = "sum(increase(llm_quality_samples_total{verdict='pass'}[4m])) / sum(increase(llm_quality_samples_total[4m]))"
    assert 0.3 < stage.value(passing) < 0.7


async def test_a_healthy_provider_takes_its_usual_time(stage: Stage) -> None:
    for row in (await stage.must("GET", "/llm/v1/calls"))["calls"]:
        assert row["latency_p95_ms"] == pytest.approx(row["baseline_ms"], rel=0.1)
