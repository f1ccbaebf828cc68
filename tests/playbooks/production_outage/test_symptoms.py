"""§2.1, continued: an outage that no error shows. Mitigated means that the symptom is gone, whichever it is (spec §7.3)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.action import Risk
from tests.stage.drill import drill
from tests.stage.outages import MINUTE, makes, mended, outage, passes, pinned, quick, split_of, story
from workflows.incident import Phase, State

HOUR_BEFORE = 1200  # seconds that the world stands before anything breaks, so that there is something usual


async def test_a_slow_revision_is_rolled_back_and_only_speed_counts_as_help(tmp_path: Path) -> None:
    """No request fails. The innocent target would have looked as good by errors; what is proven is the 99th percentile."""
    async with outage(tmp_path, latency_factor=5.0) as (stage, incident):
        question = await incident.question("Roll api back to api-00041")
        assert any("p99 is" in fact and "0.00% of" in fact for fact in question.facts), question.facts
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED and await split_of(stage) == pinned("api-00041"), story(lines)
        helped = next(line for line in lines if "the rollback helps" in line)
        assert "p99 is" in helped.partition("before")[2] and "p99 is" not in helped.partition("before")[0]


async def test_a_rollback_that_leaves_it_slow_has_not_helped_and_nothing_is_called_mitigated(tmp_path: Path) -> None:
    """0.00 % before and 0.00 % after is no improvement: the split from before serves again."""
    async with drill(tmp_path, policy=quick()) as stage:
        old = {f"api-000{n}": {"latency_factor": 5.0} for n in range(34, 42)}
        await makes(stage, "world", services={"api": {"revisions": old}})
        await makes(stage, "deploys", service="api", latency_factor=5.0)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.answer("Roll api back to api-00041")
        await incident.hears("did not help: the split from before serves again", skip=MINUTE)
        lines = await incident.timeline()
        assert not any("the rollback helps" in line for line in lines), story(lines)
        assert (await incident.status()).mitigated_at is None


async def test_traffic_that_silently_stays_away_is_impact_until_it_is_back(tmp_path: Path) -> None:
    """Every request that comes is answered well, and two of three do not come."""
    async with drill(tmp_path, policy=quick()) as stage:
        await passes(stage, HOUR_BEFORE)
        started = stage.world.clock.now()
        await makes(stage, "service-faults", service="api", kind="load", factor=0.3)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api", started_at=_iso(started))
        question = await incident.question("Roll api back", skip=MINUTE)
        assert any("requests came, usual are" in fact for fact in question.facts), question.facts
        lines = await incident.timeline()
        assert not any("nobody seems to be affected" in line or line.startswith("mitigated") for line in lines), story(lines)
        await mended(stage)
        assert "the impact has ended by the metrics" in await incident.hears("need not be answered any more", skip=MINUTE)
        await incident.hears("mitigated:", skip=MINUTE)
        assert (await incident.status()).mitigated_at is not None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


async def test_customers_whom_we_turn_away_ourselves_are_asked_about_first_and_are_impact(tmp_path: Path) -> None:
    """Six times the traffic, and room for four: scaled unasked, limited only after a yes, and not mitigated while somebody is refused."""
    async with outage(tmp_path, fault={"kind": "load", "factor": 6.0}) as (stage, incident):
        question = await incident.question("At most 21.6 requests per second")
        assert question.risk is Risk.C2 and "of them get 429" in question.effect, question.effect
        api = (await stage.look())["fleet"]["services"]["api"]
        assert api["gateway"]["rate_limit_rps"] is None and api["places"]["eu-west"]["least"] == 6
        await incident.answer("At most 21.6 requests per second")
        await incident.pass_time(timedelta(minutes=4))
        status = await incident.status()
        assert status.mitigated_at is None and Phase.RECOVERY not in status.phases, story(await incident.timeline())
        await mended(stage)
        await incident.is_in(Phase.RECOVERY, {"Roll api back": "decline"}, skip=MINUTE)
        assert (await incident.status()).mitigated_at is not None
