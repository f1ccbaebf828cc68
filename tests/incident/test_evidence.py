"""What automation may do with nobody there (spec §2.4, §2.5.6): what its own readings call for, and what two people signed beforehand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from workflows.incident import Question

OURS = ("llm", "unleash")


async def test_a_bare_start_on_a_healthy_world_changes_nothing_with_nobody_there(tmp_path: Path) -> None:
    """Everything is asked, a broad failover with a standing policy too; and each question says that no reading calls for it."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()
        question = await incident.question("back off")
        assert "no reading of the last 5 min shows that provider/aurora is ill" in "; ".join(question.facts)
        await incident.answer("back off", "decline")
        await incident.question("over from aurora")
        await incident.pass_time(timedelta(hours=1))
        assert [e for e in await stage.effects() if e["face"] in OURS and e["changed"]] == []
        assert any(line.startswith("not authorised: the standing policy for models.shift holds only") for line in await incident.timeline())


async def test_a_measured_outage_is_mitigated_with_nobody_there_and_says_on_what_evidence(tmp_path: Path) -> None:
    async with outage(tmp_path) as (stage, incident):
        evidence = await incident.hears("evidence: provider/aurora")
        assert "calls failed" in evidence
        await incident.hears("authorised: the standing policy for models.shift (nobody signed it: this installation trusts the local user")
        await incident.hears("done: models.shift")
        assert await stage.wrote("llm.routes.weights")


async def test_a_failover_is_unasked_only_once_two_people_have_signed_it(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        soon = datetime.now(UTC) + timedelta(days=30)
        file = stage.settings.organisation
        text = file.read_text().replace("standing_signed = false", "standing_signed = true")
        file.write_text(text.replace("2099-01-01T00:00:00Z", f"{soon:%Y-%m-%dT00:00:00Z}"))
        assert "two people must sign it" in await signs(stage, "dana")
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        first = await stage.declare()
        asked: Question = await first.question("over from aurora")
        assert asked.open
        assert any("is not in force: two people must sign it, and dana has" in line for line in await first.timeline())
        await first.say("stand_down", {"by": "dana", "reason": "drill"})
        assert "in force" in await signs(stage, "pat")
        second = await stage.declare()
        await second.hears("authorised: the standing policy for models.shift (signed by dana and pat")
        await second.hears("done: models.shift")


async def signs(stage: Drill, person: str) -> str:
    """Ask for a code, and sign with it, as `incident policy sign` does."""
    said = await _asks(stage, {"what": "sign", "name": "models.shift", "by": person})
    assert "on its way" in said
    return await _asks(stage, {"what": "sign", "name": "models.shift", "by": person, "code": await stage.code(person, 0)})


async def _asks(stage: Drill, request: dict[str, str]) -> str:
    name = f"policy-{request['by']}-{len(request)}"
    with stage.env.auto_time_skipping_disabled():  # else the server may skip to the end of a run that is over: in ten years
        said: str = await stage.env.client.execute_workflow(
            "PolicySigning", request, id=name, task_queue=stage.settings.queue, result_type=str
        )
    return said


async def test_a_task_is_ticked_by_whoever_did_it_and_stands_open_until_then(tmp_path: Path) -> None:
    async with outage(tmp_path) as (_, incident):
        await incident.hears("affected tenants directly")
        task = next(task for task in (await incident.status()).tasks if "affected tenants directly" in task.text)
        assert "say which task" in await incident.refused("done", {"task": 99, "by": "lee"})
        assert "roster" in await incident.refused("done", {"task": task.number, "by": "mallory"})
        assert task.number in [one.number for one in (await incident.status()).to_do]
        await incident.say("done", {"task": task.number, "by": "lee", "text": "told 12 of them"})
        status = await incident.status()
        ticked = status.tasks[task.number - 1]
        assert (ticked.done_by, ticked.said, ticked.number in [one.number for one in status.to_do]) == ("lee", "told 12 of them", False)
        assert "done already: lee" in await incident.refused("done", {"task": task.number, "by": "noor"})
        assert f"task done: [{task.number}] {task.text}: told 12 of them" in await incident.timeline()
