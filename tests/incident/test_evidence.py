"""What automation may do with nobody there (spec §2.4, §2.5.6): what its own readings call for, and what two people signed beforehand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.identity.codes import Codes
from activities.ledger.inbox import Delivery
from starters.alerts.cases import Case
from starters.alerts.intake import cases_in
from tests.alerts.desk import alert_of, body_of
from tests.playbooks.llm_provider_outage.outage import outage
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident
from workflows.engine.evidence import EvidenceBook
from workflows.incident import Question, QuestionState, SourceEvent
from workflows.status import Status

FLAG = "tools.high_psu"
FRESH = brisk(more='[policy.evidence]\nfresh_for = "PT1H"')  # no story is about how fast the machine is
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
        asked = (await incident.status()).questions
        assert not any(q.state is QuestionState.WITHDRAWN for q in asked), "that there never was any impact answers no question"
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


@pytest.mark.parametrize("joins", [False, True], ids=["opens it", "joins it"])
async def test_what_a_verified_source_names_is_changed_unasked_and_nothing_else_is(joins: bool, tmp_path: Path) -> None:
    async with drill(tmp_path, policy=FRESH) as stage:
        case = (await heard(stage, flag=FLAG)).sealed(codes_of(stage))
        incident = await told_of(stage, case, joins=joins)
        assert "61 % of calls fail" in await incident.hears(f"evidence: flag/{FLAG}: a verified source says: alertmanager")
        await incident.hears(f"done: flags.switch_off flag/{FLAG}")
        await incident.question("scheduler.enabled")
        await incident.question("over from aurora")
        assert [e["after"] for e in await stage.effects() if e["face"] in OURS and e["changed"]] == [{"enabled": False}]
        assert not asked_about(await incident.status(), FLAG)


@pytest.mark.parametrize(
    ("labels", "ago", "forged", "why"),
    [
        ({"flag": FLAG}, 0, "unsigned", ""),
        ({"flag": FLAG}, 0, "another key", "the seal is not ours"),
        ({"flag": FLAG}, 0, "another object", "the seal is not ours"),
        ({"flag": FLAG}, 0, "a later time", "the seal is not ours"),
        ({"flag": FLAG}, 3601, "", ""),
        ({"flag": FLAG, "confidence": "0.7"}, 0, "", ""),
        ({"flag": FLAG, "tenant": "acme"}, 0, "", ""),
        ({"flag": f"{FLAG},scheduler.enabled"}, 0, "", ""),
    ],
)
async def test_an_event_that_is_not_sealed_or_too_old_or_not_sure_or_of_two_objects_is_asked(
    labels: dict[str, str], ago: float, forged: str, why: str, tmp_path: Path
) -> None:
    async with drill(tmp_path, policy=FRESH) as stage:
        case = await heard(stage, ago, **labels)
        if forged != "unsigned":
            case = case.sealed(Codes(b"another secret of ours") if forged == "another key" else codes_of(stage))
        event = case.alert.event
        if event is not None and forged == "another object":
            event = (await heard(stage, flag="batch.enabled")).sealed(codes_of(stage)).alert.event
            assert event is not None
            event = event.model_copy(update={"of": f"flag/{FLAG}"})
        if event is not None and forged == "a later time":
            event = event.model_copy(update={"at": event.at + timedelta(seconds=1)})
        incident = await told_of(stage, case._replace(alert=case.alert.model_copy(update={"event": event})), joins=True)
        await incident.question(FLAG)
        assert [e for e in await stage.effects() if e["face"] in OURS and e["changed"]] == []
        assert not why or any(line.startswith(f"refused: flag/{FLAG}") and why in line for line in await incident.timeline())
        assert why or await incident.orders("identities.vouched") == []


def test_what_was_said_ends_when_its_alert_is_resolved_and_a_clock_that_is_ahead_makes_it_last_no_longer() -> None:
    at, book = datetime(2026, 11, 23, 12, 0, tzinfo=UTC), EvidenceBook()
    event = SourceEvent(of="flag/a", says="it fails", at=at + timedelta(hours=1), seal="a seal")
    book.tell(event, at, firing=True)
    assert book.named("flag/a", at) is None, "nobody has looked at the seal"
    told = book.told("flag/a", at)
    assert told is not None
    book.hear(told, ours=True)
    assert book.named("flag/a", at) is not None
    assert book.named("flag/a", at + timedelta(seconds=1)) is None and book.named("flag/b", at) is None
    book.tell(event.model_copy(update={"seal": ""}), at, firing=False)
    assert book.named("flag/a", at) is None and book.told("flag/a", at) is None


async def heard(stage: Drill, ago: float = 0, **labels: str) -> Case:
    """An alert as the receiver understands it, which began `ago` seconds ago. Nobody has sealed it."""
    now = await stage.env.get_current_time()
    named = {"alertname": "ToolsFail", "playbook": "llm_provider_outage", "service": "chat", **labels}
    raw = body_of(alert_of("firing", "f1", now - timedelta(seconds=ago), **named))
    ((case,), _) = cases_in(Delivery(id="d-1", source="alertmanager", raw=raw, received_at=now))
    return case


def codes_of(stage: Drill) -> Codes:
    """The codes of the workers, as the receiver has them."""
    return Codes(stage.settings.organisation.with_name("codes").read_bytes())


async def told_of(stage: Drill, case: Case, *, joins: bool) -> RunningIncident:
    """An incident that an alert opens, or joins; the world is well, and nobody lets clients back off."""
    incident = await stage.declare(given=None if joins else case.incident)
    joined = await incident.handle.execute_update("alert", case.alert)
    assert joined["mine"]
    await incident.answer("back off", "decline")
    return incident


def asked_about(status: Status, what: str) -> bool:
    return any(what in question.asks for question in status.questions)


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
