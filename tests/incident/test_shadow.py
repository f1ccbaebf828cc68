"""Shadow mode, told as stories: real alerts and reads, nothing changed, nobody told; people mend the world by hand (design §4, Shadow)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from starters.screens import lists
from starters.screens.incident import render
from starters.screens.lists import changes
from starters.screens.shadow_report import compare, lines
from starters.screens.text import CliError
from tests.screens import situations
from tests.screens.test_screens import drawn
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.outages import passes, quick, story
from tests.stage.running import RunningIncident
from workflows.engine.record.details import details
from workflows.incident import Phase, QuestionState, State
from workflows.status import Status, StepState

LOW_PARITY = {"borealis": {"parity": 0.93}}


@asynccontextmanager
async def provider_outage(tmp: Path, *, top: str = "", lasts: int | None = 400) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """The primary fails, in shadow mode; below the parity limit, so that the failover would be asked."""
    async with drill(tmp, policy=brisk(top=top), mode="shadow") as stage:
        await stage.edit(providers=LOW_PARITY)
        await stage.break_provider(provider="aurora", kind="overload", rate=0.6, **({"for_seconds": lasts} if lasts else {}))
        yield stage, await stage.declare()


@asynccontextmanager
async def bad_revision(tmp: Path) -> AsyncIterator[tuple[Drill, RunningIncident]]:
    """A bad revision of a service serves, in shadow mode."""
    async with drill(tmp, policy=quick(), mode="shadow") as stage:
        (await stage.http.post("/practice/deploys", json={"service": "api", "error_rate": 0.4})).raise_for_status()
        await passes(stage, 180)
        yield stage, await stage.declare("ProductionOutage", service="api")


async def ours(stage: Drill) -> list[dict[str, Any]]:
    """What the targets saw that was not the story's own doing: everything but edits of the world and a person's own writes."""
    return [e for e in await stage.effects() if e["face"] != "control" and not str(e.get("key") or "").startswith("by-hand")]


async def test_a_whole_provider_outage_changes_nothing_pages_nobody_and_resolves_when_the_world_is_mended(tmp_path: Path) -> None:
    async with provider_outage(tmp_path) as (stage, incident):
        status = await incident.ends({"": "nobody may be asked"})
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert await ours(stage) == []
        assert incident.book() == [] or {row.verb.partition(".")[0] for row in incident.book()} <= {"evidence", "ledger"}
        assert status.in_force == [] and status.room == status.ticket == status.status_page == ""
        assert not any(line.startswith(("paged:", "room:", "ticket:", "published:")) for line in lines), story(lines)
        assert status.shadow and status.may_write == ()
        asked = [q.asks for q in status.would_ask]
        assert any("over from aurora" in asks for asks in asked) and any(asks.startswith("Resolve") for asks in asked), asked
        assert all(q.state is QuestionState.GRANTED and not q.answers and not q.told for q in status.would_ask)
        assert not [q for q in status.questions if not q.assumed]
        changed = [s for s in status.steps if s.risk >= 1]
        assert changed and {s.state for s in changed} == {StepState.ASSUMED}
        assert stage.fleet.ledger.verify(incident.id).intact


async def test_what_would_be_asked_never_waits_for_an_answer(tmp_path: Path) -> None:
    """The failover would be asked of the commander; the ramp goes on being said without anybody."""
    async with provider_outage(tmp_path, lasts=None) as (stage, incident):
        await incident.hears("assumed: models.shift route/chat: fail over")
        status = await incident.status()
        assert status.asking == [] and status.state is State.OPEN
        await incident.pass_time(timedelta(hours=2))
        waiting = await incident.status()
        assert waiting.phase is Phase.MITIGATION and waiting.mitigated_at is None and waiting.asking == []
        assert await ours(stage) == []
        await stage.mend()
        assert (await incident.ends()).state is State.RESOLVED, story(await incident.timeline())


async def test_with_write_access_to_the_pager_people_are_paged_and_nothing_else_happens(tmp_path: Path) -> None:
    async with provider_outage(tmp_path, top='write_access = ["pager"]') as (stage, incident):
        await incident.hears("paged: dana")
        await incident.say("acknowledge", {"by": "dana"})
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        faces = {e["face"] for e in await ours(stage)}
        assert faces == {"pagerduty"}, faces
        assert status.may_write == ("pager",)


async def test_a_person_who_does_the_same_by_hand_is_seen(tmp_path: Path) -> None:
    """Somebody switches one of the flags off; the others stay, and the timeline says both."""
    async with provider_outage(tmp_path, lasts=None) as (stage, incident):
        await incident.hears("assumed: flags.switch_off flag/batch.enabled")
        await by_hand(stage, "batch.enabled")
        await stage.mend()
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert any(line.startswith("people did: switch batch.enabled off") for line in lines), story(lines)
        assert any(line.startswith("nobody did: switch tools.high_psu off") for line in lines), story(lines)


async def test_a_bad_revision_that_people_roll_back_themselves(tmp_path: Path) -> None:
    """The rollback is only said; somebody makes it; the metrics prove it and the pin is recognised."""
    async with bad_revision(tmp_path) as (stage, incident):
        await incident.hears("assumed: deploys.shift service/api")
        await incident.is_in(Phase.MITIGATION)
        assert (await incident.status()).in_force == []
        await roll_back(stage, "api-00041")
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED and status.in_force == [], story(lines)
        assert {e["face"] for e in await ours(stage)} <= {"cloud_run"}
        assert not any(e["key"].startswith(incident.id) for e in await stage.effects() if e.get("key"))
        assert any(line.startswith("people did: api is pinned to api-00041") for line in lines), story(lines)


async def test_a_playbook_that_hands_over_waits_for_the_world_and_not_for_a_word(tmp_path: Path) -> None:
    """Nobody has said where the service runs. Live, a person would say when it is over; here the metrics do."""
    async with drill(tmp_path, policy=brisk(), mode="shadow") as stage:
        await stage.break_provider(provider="aurora", kind="auth", rate=0.9)
        stage.forward(60)
        incident = await stage.declare("ProductionOutage")
        await incident.hears("handed over:")
        await incident.pass_time(timedelta(hours=1))
        assert not await incident.over()
        await stage.mend()
        status = await incident.ends()
        assert status.state is State.RESOLVED and "by people" in status.outcome, story(await incident.timeline())
        assert await ours(stage) == []


async def test_a_reading_that_fails_is_a_question_as_in_live_mode(tmp_path: Path) -> None:
    """What cannot be read cannot be assumed: the step fails and somebody decides; nobody is paged about it without write access."""
    async with drill(tmp_path, policy=brisk(), mode="shadow") as stage:
        await stage.inject("llm.routes.get", "fail", times=50, status=500)
        incident = await stage.declare()
        question = await incident.question("is not done")
        assert not question.assumed and "retry" in question.options
        await stage.stop_injecting()
        await incident.say("retry", {"question": question.number, "by": "dana"})
        status = await incident.ends()
        assert status.state is State.RESOLVED and await ours(stage) == [], story(await incident.timeline())


async def by_hand(stage: Drill, flag: str) -> None:
    """Somebody switches a flag off by the vendor's own door."""
    path = f"/unleash/api/admin/projects/default/features/{flag}/environments/production/off"
    (await stage.http.post(path, headers={"Authorization": "practice-token", "Idempotency-Key": "by-hand"})).raise_for_status()


async def roll_back(stage: Drill, revision: str) -> None:
    """Somebody sends a service's traffic to a revision, as `gcloud` would."""
    for region in ("eu-west", "us-east"):
        url = f"/run/v2/projects/acme/locations/{region}/services/api"
        headers = {"Authorization": "Bearer practice-token", "Idempotency-Key": "by-hand"}
        service = (await stage.http.get(url, headers=headers)).json()
        service["traffic"] = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": 100}]
        (await stage.http.patch(url, params={"updateMask": "traffic"}, headers=headers, json=service)).raise_for_status()


# -- what came of it ------------------------------------------------------------------------------------------------------------------


async def test_the_report_tells_from_the_ledger_alone_what_people_did_themselves(tmp_path: Path) -> None:
    """When we would have acted, when the impact ended, and for each step whether somebody did the same."""
    async with provider_outage(tmp_path, lasts=None) as (stage, incident):
        await incident.hears("assumed: flags.switch_off flag/batch.enabled")
        await by_hand(stage, "batch.enabled")
        await incident.say("note", {"text": "vendor says they are on it", "by": "lee"})
        await incident.pass_time(timedelta(minutes=20))
        await stage.mend()
        await incident.ends()
        ledger = stage.fleet.ledger
    kept = ledger.status(incident.id)
    assert kept is not None
    found = compare(Status.model_validate(kept.status), ledger.timeline(incident.id))
    verdicts = {(step.verb, step.target): step.verdict for step in found.steps}
    assert verdicts["flags.switch_off", "flag/batch.enabled"] == "people did the same"
    assert verdicts["flags.switch_off", "flag/tools.high_psu"] == "nobody did"
    assert verdicts["models.shift", "route/chat"] == "nobody did"
    batch = next(step for step in found.steps if step.target == "flag/batch.enabled")
    assert batch.seen_at is not None and batch.at < batch.seen_at and found.impact_ended_at is not None
    assert found.ahead_seconds is not None and found.ahead_seconds > 600
    assert any("over from aurora" in asked.asks for asked in found.questions)
    assert any("vendor says" in line for line in found.people)
    told = "\n".join(lines(found))
    assert "nothing was changed" in told and "→ people did the same by" in told and "before the end of the impact" in told


def test_there_is_nothing_to_compare_about_an_incident_that_was_live() -> None:
    with pytest.raises(CliError, match="nothing to compare"):
        compare(situations.asking(mode="live"), [])


# -- how it looks ---------------------------------------------------------------------------------------------------------------------


def shadowed() -> Status:
    """The usual state, in shadow mode: its steps are only said, its question was put to nobody."""
    asked = situations.question(assumed=True, state=QuestionState.GRANTED, told=())
    said = situations.step(1, Phase.MITIGATION, "flags.switch_off", "flag/tools.high_psu", StepState.ASSUMED, "switch it off", 4)
    return situations.asking(mode="shadow", steps=[said], questions=[asked], in_force=[])


def test_every_screen_says_loudly_that_nothing_is_changed() -> None:
    seen = drawn(render(shadowed(), situations.NOW, 100))
    assert "SHADOW: nothing is changed" in seen.splitlines()[1]
    assert "○ flags.switch_off flag/tools.high_psu" in seen and "would: switch it off" in seen
    assert "○ [3] would ask Incident Commander or Ai Ml Lead" in seen.replace("AI/ML", "Ai Ml")
    assert "approve" not in seen
    assert "SHADOW: nothing is changed" in details(shadowed()) and "Would have been asked" in details(shadowed())
    assert "SHADOW" in drawn(lists.incidents([(shadowed(), "the ledger", situations.NOW)], situations.NOW, 100))
    assert changes(None, shadowed())[0].startswith("SHADOW: nothing is changed")


def test_a_system_that_may_be_written_to_is_named() -> None:
    seen = drawn(render(shadowed().model_copy(update={"may_write": ("pager",)}), situations.NOW, 100))
    assert "SHADOW: nothing is changed but pager" in seen
