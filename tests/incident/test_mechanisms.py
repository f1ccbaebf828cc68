"""Each mechanism of design §4, once, on the drill: who may answer, what a message can do, how it ends, what is lost when a reply is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import Phase, QuestionState, State
from workflows.people.messages import MESSAGES
from workflows.status import StepState

LOW_PARITY = {"borealis": {"parity": 0.93}}
BROKEN = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{bad"))
ONES: tuple[Any, ...] = ({}, 5, BROKEN)
FIVE = timedelta(minutes=5)


@asynccontextmanager
async def incident_of(
    tmp: Path, *, policy: str = "", lasts: int | None = None, **declared: Any
) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """A provider outage whose failover is asked: questions 2 and 3 are the failover and the degradation."""
    async with drill(tmp, policy=policy or brisk()) as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare(**declared)


async def alive(incident: RunningIncident) -> bool:
    """No message has wedged it: it runs, and no workflow task has failed."""
    history = await incident.handle.fetch_history()
    failed = [e for e in history.events if e.HasField("workflow_task_failed_event_attributes")]
    assert not failed, failed[0]
    return (await incident.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def signalled(incident: RunningIncident, name: str, *given: Any) -> None:
    """Send a signal as the Temporal UI does."""
    await incident.handle.signal(name, args=list(given))


# -- who may answer -------------------------------------------------------------------------------------------------------------------


async def test_an_answer_without_authority_is_refused_with_the_reason_and_noted(tmp_path: Path) -> None:
    """Wrong person, wrong code, used code, another question's code, self-declared, closed, twice: each by the CLI's door."""
    async with incident_of(tmp_path) as (stage, incident):
        failover = (await incident.question("over from aurora")).number
        degrade = (await incident.question("from retrieval only")).number
        refusals = {
            "noor's name without her role": (
                await incident.refused("approve", {"question": failover, "by": "noor", "reason": "x"}), "is not"),
            "nobody's name": (await incident.refused("approve", {"question": failover, "by": "mallory"}), "roster"),
            "self-declared": (await incident.refused("approve", {"question": failover, "by": "dana"}), "must be verified"),
            "a wrong code": (await incident.refused("approve", f"{failover}-AAAA-AAAA"), ""),
            "another question's code": (
                await incident.refused("approve", {"question": failover, "code": await stage.code("lee", degrade)}), f"not for {failover}"),
            "no such question": (await incident.refused("decline", {"question": 99, "by": "dana"}), "no question 99"),
            "no such verdict": (await incident.refused("retry", {"question": failover, "by": "dana"}), "takes approve | decline"),
        }  # fmt: skip
        for what, (why, expected) in refusals.items():
            assert why and expected in why, (what, why)
        assert await stage.wrote("llm.routes.weights") == []
        code = await stage.code("dana", failover)
        assert "verified" in await incident.say("approve", code)
        assert "closed" in await incident.refused("approve", code)
        assert "closed" in await incident.refused("approve", await stage.code("ravi", failover))
        noted = [line for line in await incident.timeline() if line.startswith("refused: ")]
        assert len(noted) == len(refusals) + 2
        assert not any(code in line for line in await incident.timeline())
        assert await alive(incident)


async def test_an_answer_to_an_expired_question_is_refused(tmp_path: Path) -> None:
    """The failover's question means *degrade* after the ladder: a yes that comes later is none."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        code = await stage.code("dana", question.number)
        await incident.say("acknowledge", {"by": "dana"})
        await incident.pass_time(timedelta(minutes=36))
        assert "expired" in await incident.refused("approve", code)
        await incident.pass_time(FIVE)
        assert await stage.wrote("llm.routes.weights") == []


async def test_a_code_sent_by_signal_as_one_string_is_a_verified_answer(tmp_path: Path) -> None:
    """The ten-second act of the Temporal UI."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        await incident.commanded()
        await signalled(incident, "approve", await stage.code("ravi", question.number))
        await incident.hears(f"granted: [{question.number}] approve by ravi (verified)")
        await incident.hears("done: models.shift")


async def test_guessing_codes_opens_nothing_and_locks_nobody_out(tmp_path: Path) -> None:
    """Any number of wrong codes is refused and noted; the commander's right one counts all the same (ADR 4)."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        guesses = [f"{question.number}-AAAA-AA{a}{b}" for a in "ABCD" for b in "EFGH"]
        whys = await asyncio.gather(*(incident.refused("approve", guess) for guess in guesses))
        assert all("fits nobody" in why for why in whys), whys
        assert len([line for line in await incident.timeline() if line.startswith("refused: approve")]) == len(guesses)
        assert "verified" in await incident.say("approve", await stage.code("dana", question.number))


async def test_authority_comes_from_the_roster_now(tmp_path: Path) -> None:
    """Whoever loses the role between question and answer has lost it."""
    async with incident_of(tmp_path) as (stage, incident):
        question = await incident.question("over from aurora")
        code = await stage.code("ravi", question.number)
        await incident.say("acknowledge", {"by": "ravi"})  # he had it, and was known to have it
        organisation = stage.settings.organisation
        organisation.write_text(organisation.read_text().replace('roles = ["ai_ml_lead"]', "roles = []"))
        assert "ravi is not" in await incident.refused("approve", code)


# -- doors ----------------------------------------------------------------------------------------------------------------------------

ODD: dict[str, tuple[Any, ...]] = {
    "empty": (), "null": (None,), "number": (7,), "list": (["a"],), "empty object": ({},), "unknown field": ({"x": 1},),
    "wrong types": ({"question": "three", "by": 7, "code": []},), "an argument too many": ({"by": "dana"}, 2), "broken JSON": (BROKEN,),
    "huge": ({"by": "d" * 50_000, "reason": "r" * 50_000},), "odd text": ("\u0000\ud7ff\u202e",),
    "a number beyond": ({"question": 10**30, "by": "dana"},), "negative": ({"question": -1, "by": "dana"},),
    "a severity of another kind": ({"severity": 99, "by": "dana"},), "a value nested": ({"value": {"a": [None] * 50}, "by": "dana"},),
}  # fmt: skip


async def test_nothing_typed_into_a_form_wedges_fails_or_is_lost(tmp_path: Path) -> None:
    """Every message name × everything odd, by signal and by update; then the incident goes on as if nothing had been."""
    async with incident_of(tmp_path) as (_, incident):
        await incident.question("over from aurora")
        for name in MESSAGES:
            for given in ODD.values():
                await signalled(incident, name, *given)
        for unknown in ONES:
            await signalled(incident, "aprove", unknown)
        await incident.hears("there is no message 'aprove'", skip=timedelta(seconds=1))
        for name in MESSAGES:
            for what, given in ODD.items():
                try:
                    await incident.handle.execute_update(name, args=list(given))
                except WorkflowUpdateFailedError as no:
                    assert "Traceback" not in str(no.cause), what
        assert await alive(incident)
        refused = Counter(
            line.partition(":")[2].split(":")[0].strip() for line in await incident.timeline() if line.startswith("refused: ")
        )
        assert all(refused[name] >= len(ODD) - 4 for name in MESSAGES if name != "note"), refused
        status = await incident.status()
        assert status.state is State.OPEN and not status.paused_by
        assert [q.state for q in status.questions[1:3]] == [QuestionState.OPEN] * 2
        await incident.pass_time(timedelta(minutes=1))
        await incident.answer("over from aurora")
        await incident.hears("done: models.shift")


@pytest.mark.parametrize(
    "given", [(), ("chat",), ({"service": "chat"}, "twice"), (BROKEN,), ({"servce": "chat"},), ([1, 2],)],
    ids=["nothing", "a bare string", "two arguments", "broken JSON", "a typo", "a list"],
)  # fmt: skip
async def test_an_incident_is_never_refused_for_its_form(tmp_path: Path, given: tuple[Any, ...]) -> None:
    """It opens, keeps what was typed, and asks for the scope where that is missing."""
    async with drill(tmp_path, policy=brisk()) as stage:
        handle = await stage.env.client.start_workflow(
            "LLMProviderOutage", args=list(given), id="inc-20261123-form", task_queue=stage.settings.queue
        )
        incident = RunningIncident(stage, handle)
        if given == ("chat",):
            await incident.hears("phase: Triage")
            assert (await incident.status()).service == "chat"
            return
        question = await incident.question("Which service")
        assert bool([line for line in await incident.timeline() if "could not be understood" in line]) == bool(given)
        code = await stage.code("dana", question.number)
        await incident.say("answer", {"question": question.number, "code": code, "value": {"service": "chat"}})
        await incident.hears("done: models.route")
        assert await alive(incident)


async def test_an_alert_for_us_is_counted_and_another_ones_is_sent_away(tmp_path: Path) -> None:
    """Same key: joined and counted. Other key: `mine` is false. Not an alert: noted."""
    async with incident_of(tmp_path, dedup_key="llm/aurora", source="alertmanager", delivery="d-1") as (_, incident):
        await incident.question("over from aurora")
        alert = {"delivery": "d-2", "dedup_key": "llm/aurora", "status": "firing", "name": "LLMProviderOverloaded"}

        async def told(given: Any) -> dict[str, Any]:
            joined: dict[str, Any] = await incident.handle.execute_update("alert", given)
            return joined

        assert await told(alert) == {"mine": True, "alerts": 2}
        assert await told({**alert, "delivery": "d-1"}) == {"mine": True, "alerts": 2}
        assert await told({**alert, "dedup_key": "db/main", "delivery": "d-3"}) == {"mine": False, "alerts": 2}
        for odd in ONES:
            with pytest.raises(WorkflowUpdateFailedError):
                await told(odd)
        assert (await incident.status()).alerts == 2
        assert await alive(incident)


# -- how it ends ----------------------------------------------------------------------------------------------------------------------


async def failed_over(incident: RunningIncident) -> None:
    """With the failover, the degradation and the flags in force."""
    await incident.is_in(Phase.RECOVERY)


def lifted_in_order(incident: RunningIncident) -> list[str]:
    """The verbs that lifted something, in the order of the record."""
    rows = [row for row in incident.book() if row.verb in ("flags.restore", "models.restore_modes", "models.restore_client_policy")]
    return [row.verb for row in sorted(rows, key=lambda row: row.first_at)]


async def at_rest_after_an_end(stage: Drill, incident: RunningIncident, who: str) -> None:
    """What may be lifted is; the failover stays in a name."""
    world = await stage.look()
    assert all(world["flags"].values())
    assert world["policy"]["max_attempts"] == 5
    assert not [m for m in world["route"]["modes"].values() if m == "retrieval_only"]
    status = await incident.status()
    assert [(m.name, who in m.held_by) for m in status.in_force] == [("failed over", True)]
    lifts = lifted_in_order(incident)
    assert lifts[0] == "models.restore_modes" and lifts[-1] == "models.restore_client_policy"
    assert len(lifts) == 6


async def test_standing_down_lifts_what_may_be_lifted_and_names_who_holds_the_rest(tmp_path: Path) -> None:
    """Latest first; the failover is sticky and stays in the commander's name."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        assert "Incident Commander's" in await incident.refused("stand_down", {"by": "noor", "reason": "x"})
        assert "reason" in await incident.refused("stand_down", {"by": "dana"})
        assert "false alarm" in await incident.refused("stand_down", {"by": "dana", "reason": "x", "false_alarm": True})
        await incident.say("stand_down", {"by": "dana", "reason": "we do it by hand"})
        status = await incident.ends()
        assert status.state is State.STOOD_DOWN
        await at_rest_after_an_end(stage, incident, "dana")


async def test_a_temporal_cancel_does_the_same(tmp_path: Path) -> None:
    """Cancelling from the UI is a stand-down by its operator."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        await incident.handle.cancel()
        await incident.ends()
        assert (await incident.handle.describe()).status is WorkflowExecutionStatus.CANCELED
        await at_rest_after_an_end(stage, incident, "Temporal operator")


async def test_a_stand_down_is_a_later_order_than_a_pause(tmp_path: Path) -> None:
    """A paused incident can be ended without being resumed first."""
    async with incident_of(tmp_path) as (stage, incident):
        await failed_over(incident)
        await incident.say("pause", {"by": "dana", "reason": "look"})
        await incident.say("stand_down", {"by": "dana", "reason": "by hand"})
        await incident.ends(patience=20)
        await at_rest_after_an_end(stage, incident, "dana")


async def test_a_pause_holds_the_next_change_and_resume_goes_on(tmp_path: Path) -> None:
    """It looks and keeps people posted, and changes nothing."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        assert "Incident Commander's" in await incident.refused("pause", {"by": "lee"})
        await incident.say("pause", {"by": "dana", "reason": "wait"})
        await incident.answer("over from aurora")
        await incident.answer("from retrieval only")
        await incident.pass_time(FIVE)
        assert await stage.wrote("llm.routes.weights") == [] and await stage.wrote("llm.routes.modes") == []
        assert StepState.PAUSED in {step.state for step in (await incident.status()).steps}
        await incident.say("resume", {"by": "dana"})
        await incident.hears("done: models.shift")
        await incident.hears("done: models.degrade")


async def test_roles_are_given_by_the_commander(tmp_path: Path) -> None:
    """An assignment counts at once, and replaces the roster's."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        assert "Incident Commander's" in await incident.refused("assign", {"role": "ops_lead", "to": "noor", "by": "lee"})
        assert "there is no role" in await incident.refused("assign", {"role": "king", "to": "noor", "by": "dana"})
        assert "nobody called" in await incident.refused("assign", {"role": "ops_lead", "to": "mallory", "by": "dana"})
        assert "noor is AI/ML Lead" in await incident.say("assign", {"role": "ai_ml_lead", "to": "noor", "by": "dana"})
        question = await incident.question("over from aurora")
        assert "ravi is not" in await incident.refused("approve", await stage.code("ravi", question.number))


async def test_anybody_may_raise_and_lowering_is_the_commanders_one_level_with_a_reason_after_a_quiet_time(tmp_path: Path) -> None:
    """Nobody lowers what has not been mitigated and quiet for half an hour (spec §3, de-escalation)."""
    async with incident_of(tmp_path, lasts=300) as (_, incident):
        await incident.question("over from aurora")
        assert (await incident.status()).severity == 2
        assert "Incident Commander's" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "lee", "reason": "x"})
        assert "reason" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "dana"})
        assert "one level" in await incident.refused("reclassify", {"severity": "SEV-4", "by": "dana", "reason": "x"})
        assert "mitigation is not verified" in await incident.refused("reclassify", {"severity": "SEV-3", "by": "dana", "reason": "x"})
        await incident.say("reclassify", {"severity": "SEV-1", "by": "lee", "reason": "it is worse"})
        assert (await incident.status()).severity == 1
        await incident.answer("standard wording")
        await incident.answer("over from aurora")
        await incident.answer("from retrieval only")
        await incident.hears("mitigated:", skip=timedelta(minutes=1))
        assert "nobody looked" in await incident.refused("reclassify", {"severity": "SEV-2", "by": "dana", "reason": "x"})
        await incident.pass_time(timedelta(minutes=45))
        assert "is SEV-2" in await incident.say("reclassify", {"severity": "SEV-2", "by": "dana", "reason": "it is better"})
        status = await incident.status()
        assert (status.severity, status.peak_severity) == (2, 1)


# -- what is not sure, and what is down -----------------------------------------------------------------------------------------------


async def test_a_trigger_that_is_not_sure_has_every_change_asked(tmp_path: Path) -> None:
    """Confidence below 0.8: no change above C0 without a person; and the canary can be watched all the same."""
    async with incident_of(tmp_path, lasts=200, confidence=0.7) as (stage, incident):
        question = await incident.question("back off")
        assert [e for e in await stage.effects() if e["face"] in ("llm", "unleash")] == []
        assert question.open
        status = await incident.ends()
        assert status.state is State.RESOLVED, "\n".join(await incident.timeline())
        assert await alive(incident) is False


async def test_a_reply_that_is_lost_never_makes_an_effect_twice(tmp_path: Path) -> None:
    """Commit-then-drop on every writing route that the playbook uses, from fault to resolution: at most one change per key."""
    async with incident_of(tmp_path, lasts=300) as (stage, incident):
        for route in WRITING:
            await stage.inject(route, "commit_then_drop", times=2)
        status = await incident.ends()
        assert status.state is State.RESOLVED, "\n".join(await incident.timeline())
        dropped = {d["route"] for d in (await stage.http.get("/practice/injected-faults")).json()["injected_faults"] if d["used"]}
        assert dropped >= {"llm.routes.weights", "llm.routes.modes", "llm.client_policy.put", "unleash.feature.off", "unleash.feature.on"}
        changed = Counter(
            e["key"] for e in await stage.effects() if e["changed"] and e["face"] in ("llm", "unleash", "github", "statuspage")
        )
        assert [key for key, n in changed.items() if n > 1] == []
        assert status.in_force == []
        lifts = await incident.orders("flags.restore")
        assert any(lift["late_until"] for lift in lifts), "what nobody fences is looked at again after its lift"
        said = Counter(letter["text"] for letter in (await stage.http.get("/practice/inbox/dana")).json()["inbox"] if letter["via"] == "dm")
        assert [text for text, n in said.items() if n > 1] == []


WRITING = (
    "llm.routes.weights", "llm.routes.modes", "llm.routes.lease", "llm.client_policy.put", "unleash.feature.on", "unleash.feature.off",
    "statuspage.incidents.create", "statuspage.incidents.update", "slack.conversations.create", "slack.chat.postMessage",
    "slack.conversations.open", "pagerduty.enqueue", "pagerduty.incidents.responder_requests", "github.issues.create",
    "github.issues.update",
)  # fmt: skip


async def test_with_chat_status_page_and_tracker_down_mitigation_goes_on(tmp_path: Path) -> None:
    """Codes come by page; who was not told stands on the timeline."""
    async with incident_of(tmp_path, lasts=200) as (stage, incident):
        for face in ("slack", "statuspage", "github"):
            await stage.inject(f"{face}.*", "fail")
        status = await incident.ends()
        assert status.state is State.RESOLVED, "\n".join(await incident.timeline())
        untold = " ".join(line for line in await incident.timeline() if line.startswith("not sent: "))
        assert "war room" in untold and "ticket" in untold and "status page" in untold


async def test_with_the_pager_down_people_get_a_message_and_the_deputy_is_paged_all_the_same(tmp_path: Path) -> None:
    """The ladder does not end with the first page that did not get through."""
    async with incident_of(tmp_path) as (stage, incident):
        await stage.inject("pagerduty.*", "fail")
        assert "dana, lee, ravi: acknowledge" in await incident.hears("paged by message: ")
        await stage.stop_injecting()
        assert "kim" in await incident.hears("paged: ", skip=FIVE)


async def test_with_a_broken_policy_file_nothing_is_changed_and_it_says_so(tmp_path: Path) -> None:
    """A file that nobody can read allows nothing: shadow mode. Nobody can be asked, and nothing is wedged."""
    async with drill(tmp_path) as stage:
        stage.settings.organisation.write_text("[policy\nbroken")
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        incident = await stage.declare()
        assert "defaults hold" in await incident.hears("configuration: ")
        await incident.hears("assumed: models.back_off")
        assert [e for e in await stage.effects() if e["changed"]] == []
        assert await alive(incident)


async def test_a_retry_by_a_person_uses_the_same_key(tmp_path: Path) -> None:
    """*retry*, *done by hand*, *skip* and *hand over* are told in the playbook's stories; the key here, on a flag."""
    async with incident_of(tmp_path) as (stage, incident):
        await stage.inject("unleash.feature.off", "fail")
        await until(lambda: _failed(incident, 4), "four failed flags")
        await stage.stop_injecting()
        for question in (await incident.status()).asking:
            if "is not done" in question.asks:
                await incident.say("retry", await stage.code("lee", question.number))
        await until(lambda: _all_off(stage, incident), "every flag to be off")
        rows = [row for row in incident.book() if row.verb == "flags.switch_off"]
        assert len(rows) == 4 and all(row.attempts > 4 for row in rows)


async def _failed(incident: RunningIncident, n: int) -> bool:
    await incident.pass_time(timedelta(seconds=10))
    return sum("is not done" in q.asks for q in (await incident.status()).asking) == n


async def _all_off(stage: Drill, incident: RunningIncident) -> bool:
    await incident.pass_time(timedelta(seconds=2))
    return not any((await stage.look())["flags"].values())


async def test_another_worker_goes_on_where_one_has_stopped(tmp_path: Path) -> None:
    """In mid-story, and by replaying all of it at every task: nothing is lost, nothing happens twice."""
    async with drill(tmp_path, policy=brisk(), serving=False) as stage:
        await stage.start_worker(max_cached=0)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6)
        # Without a cache the SDK drops a task now and then ("leftover buffered tasks when evicting"): the server gives it out again.
        incident = await stage.declare(task_timeout=timedelta(seconds=10))
        await incident.hears("done: models.shift")
        await stage.workers.aclose()
        await stage.start_worker(max_cached=0)
        await incident.answer("from retrieval only")
        await incident.hears("done: models.degrade")
        changed = Counter(e["key"] for e in await stage.effects() if e["changed"] and e["face"] in ("llm", "unleash"))
        assert max(changed.values()) == 1
        assert {row.outcome for row in incident.book()} <= {"done", "adopted"}
        assert await alive(incident)
