"""§2.1, continued: when the playbook itself meets trouble (spec §9.1, "If it fails"), and what surrounds it."""

import asyncio
import gzip
import hashlib
from datetime import timedelta
from pathlib import Path

from activities.ledger.custody import Custody
from tests.stage.drill import drill
from tests.stage.organisation import ORGANISATION
from tests.stage.outages import MINUTE, STANDING, changed, failing, makes, outage, passes, pinned, quick, split_of, story
from workflows.incident import Phase, Question, Severity, State
from workflows.status import ItemState, StepState

FIVE = timedelta(minutes=5)


def asked_again(question: Question, first: Question) -> bool:
    """The rollback is asked about once more."""
    return "Roll api back" in question.asks and question.number != first.number


# -- the control plane ----------------------------------------------------------------------------------------------------------------


async def test_with_the_control_plane_down_people_get_the_exact_command_and_what_they_did_is_adopted(tmp_path: Path) -> None:
    """The command stands in the question; done by hand, it is read back, adopted and not repeated."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await stage.inject("run.services.patch", "fail")
        await incident.answer("Roll api back")
        question = await incident.question("deploys.shift on service/api is not done")
        by_hand = "gcloud --quiet run services update-traffic api --region=eu-west --to-revisions=api-00041=100 --project=acme"
        assert by_hand in question.by_hand
        by_name = await incident.refused("done_by_hand", {"question": question.number, "by": "dana"})
        assert "must be verified (C2)" in by_name, "what is said about a broad step is verified like the yes to it"
        places = {region: {"split": {"api-00041": 1.0}} for region in ("eu-west", "us-east")}
        await makes(stage, "world", services={"api": {"places": places}})
        await incident.answer("deploys.shift on", "done_by_hand")
        await incident.hears("adopted: deploys.shift service/api")
        await incident.hears("the rollback helps", skip=MINUTE)
        assert await changed(stage, "run.") == []


async def test_what_cannot_be_read_is_unknown_and_triage_goes_on_without_it(tmp_path: Path) -> None:
    """Our own control plane is down: the metrics and the run platform still find the revision."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        await stage.inject("platform.*", "fail")
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.hears("unknown: the change feed was not read", skip=MINUTE)
        assert "the cause is unknown" in await incident.hears("diagnosis:")
        status = await incident.status()
        failed = {step.verb for step in status.steps if step.state is StepState.FAILED}
        assert {"edge.dependencies", "change_feed.since", "capacity.read", "write_gate.read", "feeds.of_service"} <= failed
        assert Phase.MITIGATION in status.phases and await changed(stage, "run.") == []


async def test_a_rollback_is_never_believed_on_the_word_of_a_200(tmp_path: Path) -> None:
    """200 OK and nothing changed: read back, refused as proof, asked; never called mitigated."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await stage.inject("run.services.patch", "nothing_changed")
        await incident.answer("Roll api back")
        question = await incident.question("deploys.shift on service/api is not done")
        assert any("still serves" in fact for fact in question.facts), question.facts
        assert incident.done("deploys.shift") == [] and await split_of(stage) == pinned("LATEST")
        status = await incident.status()
        assert status.mitigated_at is None and status.state is State.OPEN
        assert [m.certain for m in status.in_force if m.name == "traffic pinned"] == [False], "perhaps: its try was never proven"
        await stage.stop_injecting()
        await incident.answer("deploys.shift on", "retry")
        await incident.hears("the rollback helps", skip=MINUTE)
        assert len({row.key for row in incident.book() if row.verb == "deploys.shift"}) == 1


async def test_a_reply_that_is_lost_never_makes_a_rollback_twice(tmp_path: Path) -> None:
    """Committed, and the answer dropped: the next try reads back and finds it done; each region changed once."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await stage.inject("run.services.patch", "commit_then_drop", times=2)
        await incident.answer("Roll api back")
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        done = await changed(stage, "run.")
        assert len(done) == 2 and len({e["target"] for e in done}) == 2 and len({e["key"] for e in done}) == 2, done


async def test_without_a_verified_freeze_the_commander_decides_whether_we_roll_back(tmp_path: Path) -> None:
    """The deploy system is down, so no probe deploy is denied: asked, and a no means no rollback by us (INV-4)."""
    policy = quick().replace('freeze_within = "PT30M"', 'freeze_within = "PT3M"')
    async with drill(tmp_path, policy=policy) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.4)
        await passes(stage, 180)
        await stage.inject("github.rulesets.*", "fail")
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.question("Roll api back without a verified change freeze?", skip=MINUTE)
        await incident.answer("without a verified change freeze", "decline")
        await incident.hears("still suspected: change chg-1001 (remedy not possible: the rollback to api-00041: declined)", skip=MINUTE)
        assert await changed(stage, "run.") == [] and incident.done("deploys.shift") == []
        assert not any("Roll api back to" in q.asks for q in (await incident.status()).questions)


# -- monitoring ----------------------------------------------------------------------------------------------------------------------


async def test_a_rollback_that_nobody_can_see_is_kept_on_a_persons_word_and_nothing_is_called_better(tmp_path: Path) -> None:
    """Monitoring blind: no claim, nothing ruled out and nothing undone on missing data; mitigated only when the metrics are back."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.question("Roll api back")
        await makes(stage, "blind", on=True)
        await incident.answer("Roll api back")
        question = await incident.question("Keep the rollback of api", skip=MINUTE)
        assert "decline" in question.inverse
        await incident.answer("Keep the rollback of api")
        await incident.hears("nothing is ruled out on missing data", skip=MINUTE)
        lines = await incident.timeline()
        assert not any("the rollback helps:" in line or line.startswith("mitigated") for line in lines), story(lines)
        assert await split_of(stage) == pinned("api-00041") and (await incident.status()).mitigated_at is None
        await makes(stage, "blind", on=False)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.mitigated_at, story(await incident.timeline())


async def test_neither_an_alarm_nor_a_flap_lets_the_stability_window_pass(tmp_path: Path) -> None:
    """A firing alert in scope starts the window again at once; so does trouble that comes back."""
    async with outage(tmp_path, fault={"kind": "dependency", "dependency": "cache", "rate": 0.7, "for_seconds": 400}) as (stage, incident):
        await incident.is_in(Phase.RECOVERY)
        await incident.answer("Put back what was")
        await incident.hears("done: edge.loosen", skip=MINUTE)
        key = (await incident.status()).dedup_key
        alert = {"delivery": "d-2", "dedup_key": key, "status": "firing", "name": "HighErrorRate"}
        await incident.shows(lambda status: "stable for 5 min" in status.waiting_for, "a stability window", skip=timedelta(seconds=20))
        await incident.handle.execute_update("alert", alert)
        await incident.hears("alarm:", skip=timedelta(seconds=1))
        await incident.handle.execute_update("alert", {**alert, "delivery": "d-3", "status": "resolved"})
        await makes(stage, "service-faults", service="api", kind="region", rate=0.3, for_seconds=60)
        await incident.hears("violated:", skip=MINUTE)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.resolved_at, story(await incident.timeline())
        entries = await incident.entries()
        last = max(e["at"] for e in entries if e["kind"] in ("alarm", "violated"))
        assert status.resolved_at.isoformat() > last


# -- people ---------------------------------------------------------------------------------------------------------------------------


async def test_an_approval_that_never_comes_climbs_the_ladder_and_holds(tmp_path: Path) -> None:
    """Commander, deputy, duty executive; paged again; nothing is moved by silence."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        question = await incident.question("Roll api back")
        await incident.pass_time(timedelta(hours=1))
        asked = next(q for q in (await incident.status()).questions if q.number == question.number)
        assert asked.open and {"dana", "kim", "pat"} <= set(asked.told)
        assert await changed(stage, "run.") == []


async def test_with_a_standing_policy_silence_moves_a_tenth_of_one_region_and_then_holds(tmp_path: Path) -> None:
    """SAFE: what two people signed beforehand and no more; the question stays, for the same target, and a yes carries it out."""
    async with outage(tmp_path, policy=quick(STANDING.format(verb="deploys.shift")), error_rate=0.4) as (stage, incident):
        first = await incident.question("Roll api back to api-00041")
        await incident.hears("deploys.shift service/api", skip=FIVE)
        split = await split_of(stage)
        assert split["eu-west"]["api-00041"] == 0.1 and split["us-east"] == {"LATEST": 1.0}, split
        again = await incident.question("Roll api back to api-00041", skip=MINUTE)
        assert again.number > first.number and again.expires_at is None
        await incident.pass_time(timedelta(hours=1))
        assert await split_of(stage) == split
        await incident.answer("Roll api back to api-00041")
        await incident.hears("the rollback helps", skip=MINUTE)
        assert await split_of(stage) == pinned("api-00041")


async def test_a_no_after_the_silence_takes_the_tenth_back(tmp_path: Path) -> None:
    """What was moved while nobody answered goes back as it came."""
    async with outage(tmp_path, policy=quick(STANDING.format(verb="deploys.shift")), error_rate=0.4) as (stage, incident):
        first = await incident.question("Roll api back to api-00041")
        await incident.hears("deploys.shift service/api", skip=FIVE)
        await incident.shows(lambda status: any(asked_again(q, first) for q in status.asking), "the rollback asked again")
        again = await incident.question("Roll api back")
        await incident.answer("Roll api back", "decline")
        await incident.hears("still suspected: change chg-1001 (remedy not possible: the rollback to api-00041: declined)", skip=MINUTE)
        assert again.open and await split_of(stage) == pinned("LATEST")


async def test_a_rollback_that_is_stopped_before_it_was_proven_leaves_its_pin_on_the_screen_in_a_name(tmp_path: Path) -> None:
    """The platform was asked, so it is in force: nobody has to find out by looking why later deploys get no traffic."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.answer("Roll api back to api-00041")
        await incident.hears("done: deploys.shift")
        await incident.verified("stand_down", "dana", reason="we go on by hand")
        status = await incident.ends()
        assert await split_of(stage) == pinned("api-00041")
        kept = next(m for m in status.in_force if m.name == "traffic pinned")
        assert (kept.held_by, kept.certain, kept.target) == ("dana", True, "service/api")
        assert any("update-traffic api" in line and "--to-latest" in line for line in kept.by_hand), kept.by_hand


async def test_what_silence_moved_is_taken_back_when_the_incident_stands_down(tmp_path: Path) -> None:
    """A trial is a measure like any other: it is in force, and it is lifted."""
    async with outage(tmp_path, policy=quick(STANDING.format(verb="deploys.shift")), error_rate=0.4) as (stage, incident):
        first = await incident.question("Roll api back to api-00041")
        await incident.hears("deploys.shift service/api", skip=FIVE)
        await incident.shows(lambda status: any(asked_again(q, first) for q in status.asking), "the rollback asked again")
        assert "trial of an older revision" in [m.name for m in (await incident.status()).in_force]
        await incident.verified("stand_down", "dana", reason="we go on by hand")
        status = await incident.ends()
        assert await split_of(stage) == pinned("LATEST")
        assert "trial of an older revision" not in [m.name for m in status.in_force]


async def test_a_pin_that_somebody_keeps_is_ended_when_a_person_asks_for_it(tmp_path: Path) -> None:
    """`incident do ID return-to-latest`: never to the build that was left; to the fix, once there is one."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        for about in ("Publish", "Roll api back to api-00041", "Keep api on api-00041"):
            await incident.answer(about)
        await incident.say("do", {"by": "lee", "procedure": "return-to-latest"})
        again = await incident.question("Keep api on api-00041")
        assert "no fixed build" in again.asks and await split_of(stage) == pinned("api-00041"), "api-00042 is what we left"
        await incident.answer("Keep api on api-00041")
        await makes(stage, "deploys", service="api", what="the fix")
        await incident.say("do", {"by": "lee", "procedure": "return-to-latest"})
        await incident.answer("Return api to api-00043?")
        await incident.hears("lifted: traffic pinned", skip=MINUTE)
        assert await split_of(stage) == pinned("LATEST")


async def test_with_everything_declined_nothing_graver_than_c1_ran(tmp_path: Path) -> None:
    """By the record, and by the effect log; in the end the people have it."""
    answers = {"has not ended": "skip", "All in hand": "approve", "": "decline"}
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.say("acknowledge", {"by": "dana"})
        for about, verdict in (("Publish", "decline"), ("Roll api back", "decline"), ("All in hand", "approve")):
            await incident.answer(about, verdict)
        assert "the metrics do not" in await incident.hears("not ended:", skip=timedelta(0))
        again = await incident.question("All in hand", skip=MINUTE)
        assert "still showed impact" in again.facts[0] and f"incident stand-down {incident.id}" in again.facts[0], again.facts
        flags = (await stage.look())["flags"]
        assert flags["batch.enabled"] is False, "nothing is lifted on a word that the metrics contradict"
        await makes(stage, "deploys", service="api", what="the fix")
        status = await incident.ends(answers, skip=2 * MINUTE)
        assert [row for row in incident.book() if row.risk >= 2] == []
        assert await changed(stage, "run.", "platform.", "statuspage.") == []
        assert status.state is State.RESOLVED and "by hand" in status.outcome


async def test_a_service_that_is_not_in_the_catalogue_is_handed_over_with_the_fix(tmp_path: Path) -> None:
    """Nothing is guessed: the line that is missing is named."""
    async with drill(tmp_path, policy=quick()) as stage:
        incident = await stage.declare("ProductionOutage", service="billing")
        assert "add [services.billing] to organisation.toml" in await incident.hears("handed over:")
        assert (await incident.status()).state is State.HANDED_OVER
        assert await changed(stage) == []


# -- the first fifteen minutes --------------------------------------------------------------------------------------------------------


async def test_the_facts_raise_the_severity_and_the_first_minutes_are_ticked_and_read_out(tmp_path: Path) -> None:
    """SEV-2 becomes SEV-1 by what is measured; at T+15 what is missing is said, and paged to its owner; the export's hash is right."""
    async with outage(tmp_path, error_rate=0.4) as (stage, incident):
        await incident.question("Roll api back")
        status = await incident.status()
        assert (status.severity, status.peak_severity) == (Severity.SEV1, Severity.SEV1) and status.because
        line = await incident.hears("checkpoint: first minutes", skip=MINUTE)
        assert "IC paged and acknowledged (Incident Commander)" in line
        ticks = {one.key: one for one in (await incident.status()).checklist}
        done = {key for key, one in ticks.items() if one.state is ItemState.DONE}
        assert {"declare", "cadence", "telemetry", "blast_radius", "playbook", "war_room", "status_page"} <= done, ticks
        assert ticks["commander"].state is ItemState.MISSED and ticks["playbook"].evidence.startswith("asked: ")
        inbox = (await stage.http.get("/practice/inbox/dana")).json()["inbox"]
        assert any("not done in the first minutes: IC paged and acknowledged" in letter["text"] for letter in inbox)
        kept = next(e for e in await incident.entries() if e["kind"] == "snapshot")["facts"]
        file = await asyncio.to_thread(Path(kept["location"]).read_bytes)
        assert hashlib.sha256(file).hexdigest() == kept["sha256"] and b"api-00042" in gzip.decompress(file)
        assert [line.sha256 for line in Custody(stage.fleet.ledger).lines(incident.id)] == [kept["sha256"]], "and it stands on the manifest"


async def test_what_a_service_is_called_makes_no_difference(tmp_path: Path) -> None:
    """The same story under random names."""
    named = ORGANISATION.format(policy=quick()).replace("[services.api]", "[services.ledger-x]").replace("acme/api", "acme/ledger-x")
    named = named.replace("services.orchestrator", "services.agent-y").replace("acme/orchestrator", "acme/agent-y")
    async with drill(tmp_path, organisation=named, services=("ledger-x", "agent-y")) as stage:
        await makes(stage, "deploys", service="ledger-x", error_rate=0.4)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="ledger-x")
        await incident.question("Roll ledger-x back to ledger-x-00041")
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await split_of(stage, "ledger-x") == pinned("ledger-x-00041") and await failing(stage, "ledger-x") < 0.01
