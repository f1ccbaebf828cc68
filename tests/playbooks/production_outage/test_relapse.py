"""§2.1, continued: the impact comes back in recovery, and the playbook goes back with it (design §4, There and back)."""

from datetime import datetime, timedelta
from pathlib import Path

from activities.action import Role
from tests.incident.test_comms import pages, published
from tests.stage.outages import MINUTE, makes, mended, outage, quick, story
from workflows.incident import Phase, QuestionState, State

ROUNDS = 'impact_looked_at = "PT1M"'


async def test_impact_that_returns_in_recovery_takes_the_playbook_back_to_mitigation(tmp_path: Path) -> None:
    """A person is being asked: the question is withdrawn, people are paged, the public reads Identified; and it ends well all the same."""
    fault = {"kind": "dependency", "dependency": "cache", "rate": 0.7, "for_seconds": 400}
    async with outage(tmp_path, policy=quick(top=ROUNDS), fault=fault) as (stage, incident):
        await incident.answer("Publish this incident")
        await incident.question("Put back what was", skip=MINUTE)
        before = await incident.status()
        asked = next(q for q in before.asking if "Put back what was" in q.asks)
        limits = len(incident.done("edge.limit"))
        await makes(stage, "service-faults", service="api", kind="region", rate=0.5, for_seconds=600)
        await incident.hears("relapse:", skip=MINUTE)
        status = await incident.status()
        assert status.mitigated_at is None and status.state is State.OPEN and status.phase is Phase.MITIGATION
        assert next(q for q in status.questions if q.number == asked.number).state is QuestionState.WITHDRAWN
        assert [m.name for m in status.in_force].count("limited") == 1 and len(incident.done("edge.limit")) == limits, "registered once"
        assert any("the impact is back" in page for page in pages(stage, "dana"))
        ended = await incident.ends()
        lines = await incident.timeline()
        assert ended.state is State.RESOLVED, story(lines)
        assert sum(line.startswith("mitigated:") for line in lines) == 2, "each round's is kept"
        assert ended.mitigated_at and before.mitigated_at and ended.mitigated_at > before.mitigated_at, "the last one counts"
        said = [update["status"] for update in published(stage.world)]
        first, *later = [said[n] for n in range(len(said)) if n == 0 or said[n] != said[n - 1]]
        assert later[-4:] == ["monitoring", "identified", "monitoring", "resolved"], (first, later)


async def test_after_enough_rounds_people_carry_on_by_hand(tmp_path: Path) -> None:
    """Not for ever: what comes back once more than policy allows is handed over. Here it comes back in the first window of stability."""
    fault = {"kind": "dependency", "dependency": "cache", "rate": 0.7, "for_seconds": 400}
    async with outage(tmp_path, policy=quick(top=ROUNDS + "\nrelapses = 0"), fault=fault) as (stage, incident):
        await incident.is_in(Phase.RECOVERY, skip=timedelta(seconds=10))
        await makes(stage, "service-faults", service="api", kind="region", rate=0.5)
        line = await incident.hears("handed over:", skip=MINUTE)
        assert "the impact has come back 1 times" in line
        status = await incident.status()
        assert status.mitigated_at is None
        assert not any("Put back what was" in q.asks for q in status.questions), "nobody was waited for"


async def test_its_own_alert_forbids_to_call_it_mitigated_and_one_that_lingers_is_asked_about(tmp_path: Path) -> None:
    """The metrics are well and the alert fires: no claim; the clock of the post-mortem still says when the impact ended."""
    async with outage(tmp_path, policy=quick(top='alert_clears_within = "PT5M"'), error_rate=0.4) as (_, incident):
        await incident.question("Roll api back")
        key = (await incident.status()).dedup_key
        alert = {"delivery": "d-2", "dedup_key": key, "status": "firing", "name": "ServiceErrors", "labels": {"service": "api"}}
        await incident.handle.execute_update("alert", alert)
        await incident.answer("Roll api back")
        await incident.hears("the rollback helps", skip=MINUTE)
        await incident.pass_time(timedelta(minutes=4))
        status = await incident.status()
        assert status.mitigated_at is None and "its alert to clear: ServiceErrors" in status.waiting_for, status.waiting_for
        question = await incident.question("ServiceErrors is still firing", skip=MINUTE)
        assert Role.INCIDENT_COMMANDER in question.roles
        await incident.handle.execute_update("alert", {**alert, "delivery": "d-3", "status": "resolved"})
        await incident.answer("ServiceErrors is still firing", "retry")
        await incident.hears("mitigated:", skip=MINUTE)
        status = await incident.status()
        assert status.mitigated_at and question.asked_at > status.mitigated_at


async def test_a_rollback_that_makes_it_clearly_worse_is_undone_after_the_first_window(tmp_path: Path) -> None:
    """Not after ten minutes: the same yes covers the split from before."""
    policy = quick().replace('proven_within = "PT3M"', 'proven_within = "PT30M"')
    async with outage(tmp_path, policy=policy, error_rate=0.2) as (stage, incident):
        question = await incident.question("Roll api back to api-00041")
        assert "when it is clearly worse after 1 min" in question.effect and "restore" in question.effect
        await makes(stage, "world", services={"api": {"revisions": {"api-00041": {"error_rate": 0.9}}}})
        await incident.answer("Roll api back to api-00041")
        await incident.hears("the rollback makes it clearly worse", skip=timedelta(seconds=15))
        await incident.hears("the split from before serves again")
        shifts = incident.done("deploys.shift")
        assert len(shifts) == 2
        entries = await incident.entries()
        done = [e["at"] for e in entries if e["text"].startswith("deploys.shift service/api")]
        assert _minutes(done[0], done[1]) < 4, done
        await mended(stage)


def _minutes(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 60
