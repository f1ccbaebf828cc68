"""One incident, several playbooks: who is called in works beside the first one, on the same record and with the same people."""

from datetime import timedelta
from pathlib import Path

from activities.organisation.organisation import Organisation
from tests.stage.drill import drill
from tests.stage.organisation import OTHERS, brisk
from tests.stage.outages import outage
from workflows.incident import Severity, State


def call_in(playbook: str, reason: str = "") -> dict[str, object]:
    return {"by": "dana", "procedure": "call-in", "fields": {"playbook": playbook}, "reason": reason}


async def test_a_playbook_works_beside_the_first_and_the_incident_ends_after_both(tmp_path: Path) -> None:
    async with outage(tmp_path, error_rate=0.4, what="faster retries") as (stage, incident):
        await incident.commanded()
        await incident.say("do", call_in("llm_provider_outage", "the orchestrator times out"))
        # It has no route of that name, so people carry on with its part; what the first playbook does goes on.
        await incident.hears("§2.2 LLM provider outage/degradation: the orchestrator times out")
        status = await incident.ends({"models.route on route/api": "hand_over"})
        assert status.state is State.RESOLVED and status.playbook == "ProductionOutage"
        (called,) = status.called_in
        assert (called.section, called.state, called.phase) == ("2.2", State.HANDED_OVER, "closed")
        assert any(task.text.startswith("Carry on with §2.2 LLM provider outage/degradation by hand") for task in status.tasks)
        assert not (await stage.wrote("llm.weights"))


async def test_what_is_not_installed_is_a_paged_task_with_a_due_time(tmp_path: Path) -> None:
    """A worker of an older release may lack one."""
    async with drill(tmp_path, policy=brisk(more=OTHERS)) as stage:
        organisation = next(one for one in stage.fleet.systems if isinstance(one, Organisation))
        organisation.installed = tuple(name for name in organisation.installed if name != "data_breach")
        incident = await stage.declare()
        await incident.commanded()
        await incident.say("do", call_in("data_breach", "personal data may be out"))
        await incident.hears("§2.4 data breach")
        (task,) = [task for task in (await incident.status()).tasks if "data breach" in task.text]
        assert task.text == "Carry out §2.4 data breach: personal data may be out. No playbook for it is installed here"
        assert task.due.endswith(" UTC")
        await incident.pass_time(timedelta(minutes=16))
        inbox = (await stage.http.get("/practice/inbox/sam")).json()
        letters = [str(one["text"]) for one in (inbox["inbox"] if isinstance(inbox, dict) else inbox) if one["via"] == "page"]
        assert any("data breach by hand until" in one for one in letters), letters
        assert any(f"task {task.number} is overdue" in one for one in letters)
        assert "there is no playbook 'secret_leak'" in await incident.refused("do", call_in("secret_leak"))
        await incident.verified("stand_down", "dana", reason="a drill")
        await incident.ends()


async def test_who_is_called_in_twice_is_there_once_and_raises_the_severity(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare(severity=3)
        await incident.commanded()
        await incident.say("do", call_in("production_outage"))
        await incident.hears("§2.1 Production outage")
        await incident.say("do", call_in("production_outage"))
        await incident.hears("production_outage is on this incident already")
        status = await incident.status()
        assert len(status.called_in) == 1 and status.severity <= Severity.SEV2
        await incident.verified("stand_down", "dana", reason="a drill")
        assert (await incident.ends()).called_in[0].phase == "closed"
