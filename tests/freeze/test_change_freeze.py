"""The change freeze, as stories: a set of holders, a gate that was proven to be locked, and what may pass it all the same."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from activities.action import Call, Effect, Grant, Order, Refused, Role, Verb, action_of
from activities.freeze.freezes import FROZEN, Freezes
from activities.freeze.orders import ExemptDeploy, FreezeOf, FreezeRequest, FreezeState, Hold, Purpose, Release, UseExemption
from activities.organisation.catalogue import Deployed
from activities.organisation.policy import Policy
from practice.faces.pagerduty.records import Pages
from practice.services.repositories import HEADS, Commit, Repository
from tests.stage.drill import Drill, drill
from tests.stage.orderly import orderly
from tests.stage.running import RunningIncident, until
from worker.converter import data_converter
from worker.service import runner, worker, workflow_types
from workflows.freeze.change_freeze import ChangeFreeze
from workflows.freeze.freezing import MESSAGES
from workflows.incident import Card, Incident, Severity, State
from workflows.playbook import Playbook

A, B = "inc-20261123-out-api", "inc-20261123-supply-api"
API = Deployed(name="api", platform="cloud_run", regions=("eu-west", "us-east"), repository="acme/api")
DIGEST = "sha256:" + "0a1b2c3d4e5f" * 5 + "0000"
OTHER = "sha256:" + "f0e1d2c3b4a5" * 5 + "0000"
SERVICES = """
[people.sam]
roles = ["security_lead"]
email = "sam@example.com"
slack = "U_SAM"
pager = "P_SAM"
"""
SELF_DECLARED = "verified_from = 3"  # C2 may be self-declared, as in the demo


@dataclass
class Frost:
    """A drill with the freeze of `api` in the middle, and incidents that hold it."""

    stage: Drill
    freezes: Freezes
    calls: int = 0
    runs: list[str] = field(default_factory=list)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.env.client.get_workflow_handle("freeze-api")

    @property
    def repository(self) -> Repository:
        return self.stage.world.state.repositories["acme/api"]

    async def call(self, verb: Verb[Any, Any], order: Order, incident: str, **more: Any) -> Call:
        """A call as an incident's workflow makes it, with a grant of its commander where one is needed."""
        self.calls += 1
        at = await self.stage.env.get_current_time()
        name = action_of(verb).name
        grant = Grant(question=1, covers=(order.digest(name),), by=("dana",), verified=True, at=at, expires_at=at + timedelta(minutes=15))
        made = {"incident_id": incident, "key": f"{incident}/{name}/{order.target()}/{self.calls}", "at": at, "grant": grant, **more}
        return Call.model_validate(made)

    async def hold(self, incident: str = A, **more: Any) -> Effect:
        order = Hold(service=API, incident_id=more.pop("holder", incident), reason="errors", by="dana")
        return await self.freezes.hold(order, await self.call(Freezes.hold, order, incident, **more))

    async def release(self, incident: str = A, **more: Any) -> Effect:
        """An incident holds it no more."""
        order = Release(service=API, incident_id=more.pop("holder", incident), reason="stable for 60 minutes")
        return await self.freezes.release(order, await self.call(Freezes.release, order, incident, **more))

    async def exempt(self, purpose: Purpose, digest: str = DIGEST, incident: str = A, **more: Any) -> Effect:
        order = ExemptDeploy(service=API, incident_id=incident, artefact=digest, purpose=purpose)
        verb = Freezes.exempt_patch if purpose is Purpose.SECURITY_PATCH else Freezes.exempt
        return await verb(self.freezes, order, await self.call(verb, order, incident, **more))

    async def use(self, purpose: Purpose, digest: str = DIGEST, incident: str = A, **more: Any) -> Effect:
        order = UseExemption(service=API, incident_id=incident, artefact=digest, purpose=purpose)
        return await self.freezes.use(order, await self.call(Freezes.use, order, incident, **more))

    async def state(self) -> FreezeState:
        """What the freeze says of itself."""
        return await self.freezes.read(FreezeOf(service=API), await self.call(Freezes.read, FreezeOf(service=API), A))

    async def lines(self) -> list[str]:
        """What happened, a line each: `kind: text`."""
        return [f"{line['kind']}: {line['text']}" for line in await self.handle.query("timeline")]

    async def hears(self, phrase: str, skip: timedelta = timedelta(seconds=30)) -> str:
        """The first line with a phrase. Lets time pass until there is one."""

        async def said() -> str:
            found = next((line for line in await self.lines() if phrase in line), "")
            if not found:
                await self.stage.env.sleep(skip)
            return found

        return str(await until(said, f"{phrase!r} in the freeze's timeline"))

    async def say(self, message: str, **words: Any) -> Any:
        """Send a message as a person does, by the CLI's door."""
        told: Any = await self.handle.execute_update(message, words)
        return told

    async def refused(self, message: str, *given: Any) -> str:
        """The reason for which a message was refused; fails when it was not."""
        try:
            said = await self.handle.execute_update(message, args=list(given))
        except WorkflowUpdateFailedError as no:
            return str(getattr(no.cause, "message", no.cause))
        raise AssertionError(f"{message} was accepted: {said}")

    async def push(self, branch: str = "main", message: str = "a change") -> int:
        """Somebody's push, as GitHub takes it: the status code."""
        found, author = self.repository, {"name": "ada", "email": "ada@example.com", "date": "2026-11-23T11:00:00Z"}
        sha = found.add(Commit("f" * 40, message, [found.heads["main"]], author, author))
        headers = {"Authorization": "Bearer practice-token"}
        path = "/github/repos/acme/api/git/refs"
        if branch in found.heads:
            answer = await self.stage.http.patch(f"{path}/heads/{branch}", json={"sha": sha, "force": True}, headers=headers)
        else:
            answer = await self.stage.http.post(path, json={"ref": HEADS + branch, "sha": sha}, headers=headers)
        return answer.status_code

    def deployed(self) -> list[str]:
        """What was deployed through GitHub since the world began."""
        return [c.what for c in self.stage.world.state.fleet.changes if "commit" in c.details]

    def rulesets(self) -> list[str]:
        """The names of the repository's rulesets."""
        return [ruleset.name for ruleset in self.repository.rulesets.values()]

    async def shut(self) -> None:
        """Wait until no branch is exempted any more, as GitHub has it."""

        async def closed() -> bool:
            return [ruleset.exclude for ruleset in self.repository.rulesets.values()] == [[]]

        await until(closed, "the exempted branches to be closed")

    async def inbox(self, person: str) -> list[str]:
        """What came to somebody's phone."""
        letters = (await self.stage.http.get(f"/practice/inbox/{person}")).json()["inbox"]
        return [str(letter["text"]) for letter in letters]

    async def over(self) -> bool:
        """True when the workflow has ended."""
        return (await self.handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    async def ended(self) -> None:
        """Wait until the workflow has ended by itself."""
        await until(self.over, "the freeze's workflow to end")
        assert (await self.handle.describe()).status is WorkflowExecutionStatus.COMPLETED

    async def replayed(self) -> None:
        """The history of the present run replays, and not one of its tasks failed."""
        history = await self.handle.fetch_history()
        assert not [e for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED]
        await Replayer(workflows=workflow_types(), data_converter=data_converter, workflow_runner=runner()).replay_workflow(history)


@asynccontextmanager
async def frost(tmp: Path, policy: str = "", tries: int = 7, more: str = "") -> AsyncIterator[Frost]:
    """Everything up; nothing frozen. `tries`: how patient the verbs are. `more`: whole tables of the organisation."""
    async with drill(tmp, policy=policy + "\n" + more + SERVICES, serving=False) as stage:
        text = stage.settings.organisation.read_text().replace("tries = 7", f"tries = {tries}")
        stage.settings.organisation.write_text(text)
        (freezes,) = [system for system in stage.fleet.systems if isinstance(system, Freezes)]
        scene = Frost(stage, freezes)
        await stage.http.get("/github/repos/acme/api/branches/main", headers={"Authorization": "Bearer practice-token"})
        served = worker(stage.env.client, stage.fleet, stage.settings.queues[0], stage.settings, debug_mode=True)
        await stage.workers.enter_async_context(orderly(served))
        yield scene


async def test_a_freeze_holds_when_a_deploy_was_turned_away(tmp_path: Path) -> None:
    """Hold, push, release, push: the world says what is frozen, and not the reply."""
    async with frost(tmp_path) as scene:
        assert not (await scene.state()).frozen
        held = await scene.hold()
        assert "GitHub refused the push" in held.proven_by and "rules in force" in held.proven_by
        assert (held.adopted, held.after) == (False, {"holders": [A]})
        state = await scene.state()
        assert state.in_force and [(h.id, h.by, h.proven) for h in state.holders] == [(A, "dana", True)]
        assert await scene.push() == 422
        released = await scene.release()
        assert "nobody holds the freeze any more" in released.summary and "no ruleset of ours is left" in released.proven_by
        assert await scene.push() == 200 and scene.deployed() == ["a change (main)"]
        await scene.ended()
        assert not (await scene.state()).frozen
        await scene.replayed()


async def test_the_release_of_one_holder_keeps_it_for_the_other(tmp_path: Path) -> None:
    """F21, I3: two incidents, one service."""
    async with frost(tmp_path) as scene:
        await scene.hold(A)
        await scene.hold(B)
        assert scene.rulesets() == [f"change-freeze api: {A}, {B}"]
        kept = await scene.release(A)
        assert f"it goes on for {B}" in kept.summary and kept.after["holders"] == [B]
        assert await scene.push() == 422
        assert (await scene.release(A)).adopted, "it holds nothing any more"
        with pytest.raises(Refused, match="cannot release what"):
            await scene.release(A, holder=B)
        await scene.release(B)
        assert await scene.push() == 200
        await scene.ended()
        await scene.replayed()


async def test_a_playbooks_release_does_not_end_the_error_budgets_freeze(tmp_path: Path) -> None:
    """Its exit is another one: budget above zero, or a named waiver."""
    async with frost(tmp_path, SELF_DECLARED) as scene:
        await scene.hold(A)
        await scene.hold(A, holder="budget")
        await scene.release(A)
        with pytest.raises(Refused, match="cannot release what budget holds"):
            await scene.release(A, holder="budget")
        assert [h.id for h in (await scene.state()).holders] == ["budget"]
        told = await scene.say("release", holder="budget", by="dana", reason="waived by the product review")
        assert "nobody holds" in told["said"]
        await scene.ended()


async def test_the_budgets_own_release_releases_nothing_else(tmp_path: Path) -> None:
    """Two verbs, two exits: the budget's does not let go of an incident, and an incident's not of the budget."""
    async with frost(tmp_path) as scene:
        await scene.hold(A)
        await scene.hold(A, holder="budget")
        theirs, ours = (Release(service=API, incident_id=holder, reason="positive again") for holder in (A, "budget"))
        with pytest.raises(Refused, match=f"{A} is no error budget"):
            await scene.freezes.release_budget(theirs, await scene.call(Freezes.release_budget, theirs, A))
        kept = await scene.freezes.release_budget(ours, await scene.call(Freezes.release_budget, ours, B))
        assert f"it goes on for {A}" in kept.summary and kept.after["holders"] == [A]
        await scene.release(A)
        await scene.ended()


async def test_holding_twice_is_holding_once(tmp_path: Path) -> None:
    """A lost reply, a late try, a second wish: one holder, one ruleset."""
    async with frost(tmp_path) as scene:
        order = Hold(service=API, incident_id=A, reason="errors")
        call = await scene.call(Freezes.hold, order, A)
        first = await scene.freezes.hold(order, call)
        assert await scene.freezes.hold(order, call) == first, "the same message is answered with the same words"
        again = await scene.hold(A)
        assert again.adopted and [h.id for h in (await scene.state()).holders] == [A]
        assert len(await scene.stage.wrote("github.rulesets.create")) == 1
        assert len(await scene.stage.wrote("github.rulesets.update")) == 0


async def test_a_probe_that_goes_through_fails_the_hold_and_says_so(tmp_path: Path) -> None:
    """A gate that looks locked and is not: the caller hears it, and still has it to release."""
    async with frost(tmp_path) as scene:
        scene.repository.lenient = True
        with pytest.raises(ApplicationError, match="NOT FROZEN: the probe deploy went through") as failed:
            await scene.hold()
        assert failed.value.type == "NotProven" and failed.value.non_retryable
        state = await scene.state()
        assert state.frozen and not state.in_force and "NOT FROZEN" in state.trouble
        assert len(scene.deployed()) == 1, "one probe, however patient the caller is"
        scene.repository.lenient = False
        assert not (await scene.hold()).adopted, "now it is proven"
        assert (await scene.state()).in_force
        released = await scene.release()
        assert "change freeze probe" in str(released.after["drift"]), "the probe that went through was a deploy without an exemption"
        await scene.replayed()


async def test_while_github_is_down_the_hold_is_patient_and_then_says_why(tmp_path: Path) -> None:
    """A person's *retry* comes under the same key; it is a new message all the same."""
    async with frost(tmp_path, tries=2) as scene:
        await scene.stage.inject("github.*", "fail", status=503)
        order = Hold(service=API, incident_id=A, reason="errors")
        call = await scene.call(Freezes.hold, order, A)
        with pytest.raises(ApplicationError, match=r"not proven to be frozen.*503") as failed:
            await scene.freezes.hold(order, call)
        assert failed.value.type == "NotProven"
        assert not (await scene.state()).in_force
        await scene.stage.stop_injecting()
        later = call.model_copy(update={"at": call.at + timedelta(seconds=30), "again": True})
        assert "GitHub refused the push" in (await scene.freezes.hold(order, later)).proven_by
        assert (await scene.state()).in_force
        await scene.replayed()


async def test_a_release_that_cannot_be_done_leaves_it_held(tmp_path: Path) -> None:
    """Nobody is told that deploys go on while they do not."""
    async with frost(tmp_path, tries=2) as scene:
        await scene.hold()
        await scene.stage.inject("github.rulesets.delete", "fail", status=503)
        with pytest.raises(ApplicationError, match="503") as failed:
            await scene.release()
        assert failed.value.type == "NotProven" and (await scene.state()).holds(A)
        await scene.stage.stop_injecting()
        await scene.release()
        await scene.ended()


async def test_a_rollback_uses_a_token_once(tmp_path: Path) -> None:
    """INV-4. It does not pass through GitHub: nothing is opened there."""
    async with frost(tmp_path) as scene:
        with pytest.raises(Refused, match="not frozen"):
            await scene.exempt(Purpose.ROLLBACK)
        await scene.hold()
        given = await scene.exempt(Purpose.ROLLBACK)
        assert (await scene.exempt(Purpose.ROLLBACK)).after["token"] == given.after["token"], "asked twice, given once"
        for wrong in ((Purpose.HOTFIX, DIGEST, A), (Purpose.ROLLBACK, OTHER, A), (Purpose.ROLLBACK, DIGEST, B)):
            with pytest.raises(Refused, match="there is no exemption"):
                await scene.use(*wrong)
        order = UseExemption(service=API, incident_id=A, artefact=DIGEST, purpose=Purpose.ROLLBACK)
        call = await scene.call(Freezes.use, order, A)
        used = await scene.freezes.use(order, call)
        assert used.after["token"] == given.after["token"]
        assert await scene.freezes.use(order, call) == used, "a lost reply is not a second use"
        with pytest.raises(Refused, match=r"was used at .*: ask for a new one"):
            await scene.use(Purpose.ROLLBACK)
        assert (await scene.exempt(Purpose.ROLLBACK)).after["token"] != given.after["token"]
        assert len(await scene.stage.wrote("github.rulesets.update")) == 0
        await scene.replayed()


async def test_an_exemption_that_nobody_uses_is_over_after_half_an_hour(tmp_path: Path) -> None:
    async with frost(tmp_path) as scene:
        await scene.hold()
        await scene.exempt(Purpose.ROLLBACK)
        await scene.exempt(Purpose.HOTFIX)
        assert [r.exclude for r in scene.repository.rulesets.values()] == [["refs/heads/hotfix/0a1b2c3d4e5f"]]
        await scene.stage.env.sleep(timedelta(minutes=29))
        assert not [e for e in (await scene.state()).exemptions if e.ended]
        await scene.stage.env.sleep(timedelta(minutes=2))
        await scene.hears("expired: one hotfix")
        with pytest.raises(Refused, match="expired"):
            await scene.use(Purpose.ROLLBACK)
        await scene.shut()
        assert await scene.push("hotfix/0a1b2c3d4e5f") == 422
        await scene.replayed()


async def test_a_hotfix_passes_once_and_the_branch_is_closed_behind_it(tmp_path: Path) -> None:
    """INV-18: tied to the artefact's digest; nobody need tell us that it was used."""
    async with frost(tmp_path) as scene:
        await scene.hold()
        given = await scene.exempt(Purpose.HOTFIX)
        assert "by a push to hotfix/0a1b2c3d4e5f" in given.summary
        assert await scene.push("hotfix/123") == 422 and await scene.push() == 422
        assert await scene.push("hotfix/0a1b2c3d4e5f", "the fix") == 201
        newest = scene.stage.world.state.fleet.services["api"].newest()
        assert newest.digest.startswith("sha256:0a1b2c3d4e5f")
        await scene.hears("used: one hotfix")
        await scene.shut()
        assert await scene.push("hotfix/0a1b2c3d4e5f", "and one more") == 422
        assert (await scene.use(Purpose.HOTFIX)).adopted, "whoever pushed says so, too"
        with pytest.raises(Refused, match="was used"):
            await scene.use(Purpose.HOTFIX)
        released = await scene.release()
        assert "drift" not in released.after
        await scene.ended()


async def test_a_branch_that_cannot_be_closed_is_a_hole_that_everybody_sees(tmp_path: Path) -> None:
    """It is tried again until it is closed."""
    async with frost(tmp_path, tries=2) as scene:
        await scene.hold()
        await scene.exempt(Purpose.HOTFIX)
        await scene.stage.inject("github.rulesets.update", "fail", status=503)
        await scene.use(Purpose.HOTFIX)
        assert "hotfix/0a1b2c3d4e5f may still be let through" in (await scene.state()).trouble
        await scene.stage.stop_injecting()
        await scene.stage.env.sleep(timedelta(minutes=6))
        await scene.shut()
        await scene.replayed()


async def test_a_patch_is_securitys_and_a_hotfix_the_commanders(tmp_path: Path) -> None:
    """Spec §4: IC, or Security for a patch. What a person may not do alone becomes a question to those who may."""
    async with frost(tmp_path, SELF_DECLARED) as scene:
        await scene.hold()
        hotfix = {"holder": A, "digest": DIGEST, "purpose": "hotfix"}
        patch = {"holder": B, "digest": OTHER, "purpose": "security-patch"}
        assert "sam is not Incident Commander or Deputy" in await scene.refused("exempt", {**hotfix, "by": "sam"})
        assert "1 was put to dana, kim" in await scene.refused("exempt", {**hotfix, "by": "lee"})
        assert "nobody called 'eve'" in await scene.refused("exempt", {**hotfix, "by": "eve"})
        assert (await scene.say("exempt", **patch, by="sam"))["token"]
        assert (await scene.say("exempt", **hotfix, by="dana"))["token"]
        with pytest.raises(Refused, match="Security Lead"):
            order = ExemptDeploy(service=API, incident_id=A, artefact=DIGEST, purpose=Purpose.SECURITY_PATCH)
            await scene.freezes.exempt(order, await scene.call(Freezes.exempt, order, A))
        by = {e.purpose: (e.by, e.verified) for e in (await scene.state()).exemptions}
        assert by == {Purpose.SECURITY_PATCH: (("sam",), False), Purpose.HOTFIX: (("dana",), False)}


async def test_where_policy_wants_it_verified_a_code_is_sent_and_needed(tmp_path: Path) -> None:
    """The commander orders; the code comes to their phone; the very same order with it is carried out. Another one is not."""
    async with frost(tmp_path) as scene:
        await scene.hold()
        order = {"holder": A, "digest": DIGEST, "purpose": "hotfix", "by": "dana"}
        said = await scene.refused("exempt", order)
        assert "must be verified" in said and "question 1 was put to dana" in said
        assert "incident approve freeze-api 1 --code CODE" in said
        code = await scene.stage.code("dana", 1)
        assert "for question 1, not for 2" in await scene.refused("exempt", {**order, "digest": OTHER, "code": code})
        assert "not a code" in await scene.refused("exempt", {**order, "code": "yes"})
        told = await scene.say("exempt", **{**order, "code": code})
        assert "may pass, by a push to hotfix/0a1b2c3d4e5f" in told["said"]
        (exemption,) = (await scene.state()).exemptions
        assert (exemption.by, exemption.verified) == (("dana",), True)
        await scene.replayed()


async def test_a_question_of_a_freeze_is_answered_like_any_other(tmp_path: Path) -> None:
    """Ops proposes the release, the commander approves it from the Temporal UI with nothing but the code."""
    async with frost(tmp_path) as scene:
        await scene.hold()
        await scene.refused("release", {"holder": A, "by": "lee", "reason": "all is well"})
        assert (await scene.state()).questions == (f"[1] Release the freeze of api that {A} holds?",)
        await scene.handle.signal("approve", await scene.stage.code("kim", 1))
        await scene.ended()
        assert await scene.push() == 200
        await scene.replayed()


async def test_a_declined_or_forgotten_question_changes_nothing(tmp_path: Path) -> None:
    async with frost(tmp_path) as scene:
        await scene.hold()
        await scene.refused("release", {"holder": A, "by": "lee"})
        assert await scene.say("decline", code=await scene.stage.code("dana", 1)) == "declined by dana"
        await scene.refused("release", {"holder": A, "by": "lee"})
        code = await scene.stage.code("dana", 2)
        await scene.stage.env.sleep(timedelta(minutes=16))
        await scene.hears("silence: [2] nobody answered")
        assert "closed" in await scene.refused("approve", code)
        assert await scene.push() == 422


HOURLY = '[policy.freeze]\nask_again = "PT1H"\n'  # a day of the practice world's traffic takes longer than a story may


async def test_an_old_freeze_is_asked_about_again_and_again_and_never_ends_by_itself(tmp_path: Path) -> None:
    """The watchdog pages whoever commands; the pages end with the release."""
    assert Policy().freeze.ask_again == timedelta(hours=24)
    async with frost(tmp_path, more=HOURLY) as scene:
        await scene.hold()
        await scene.stage.env.sleep(timedelta(minutes=50))
        assert not [text for text in await scene.inbox("dana") if "Still needed?" in text]
        for nth in (1, 2, 3):
            await scene.stage.env.sleep(timedelta(hours=1))

            async def asked(times: int = nth) -> bool:
                return sum("Still needed?" in text for text in await scene.inbox("dana")) >= times

            await until(asked, f"page {nth}")
        assert any(f"incident freeze release api --incident {A}" in text for text in await scene.inbox("dana"))
        assert await scene.push() == 422 and (await scene.state()).in_force
        await scene.release()
        await scene.ended()
        pages = [page for page in scene.stage.world.state.part(Pages).values() if page["incident_key"].startswith("freeze-api-")]
        assert len(pages) == 3 and {page["status"] for page in pages} == {"resolved"}
        await scene.replayed()


async def test_a_gate_that_somebody_unlocked_by_hand_is_said_so(tmp_path: Path) -> None:
    """What people did is not fought; it is not hidden either."""
    async with frost(tmp_path, more=HOURLY) as scene:
        await scene.hold()
        scene.repository.rulesets.clear()
        assert await scene.push(message="by hand") == 200
        await scene.stage.env.sleep(timedelta(minutes=61))
        await scene.hears("not in force: somebody has unlocked acme/api by hand")
        assert not (await scene.state()).in_force and scene.rulesets() == []
        assert "by hand" in (await scene.state()).drift[0]
        released = await scene.release()
        assert "deployed without an exemption: main" in released.summary


FORMS: dict[str, tuple[Any, ...]] = {
    "empty": (), "a list": (["hold", 1],), "a number": (7,), "null": (None,), "an empty object": ({},), "a wrong type": ({"holder": 5},),
    "an unknown field": ({"by": "dana", "decision": "yes"},), "an extra argument": ({"by": "dana"}, "and more"), "a string": ("approve",),
    "a wild holder": ({"holder": "../../etc", "by": "dana"},), "a long one": ({"holder": "x" * 5000, "reason": "y" * 50_000},),
    "a forged seal": ({"holder": A, "digest": DIGEST, "purpose": "hotfix", "granted_by": ["dana"], "verified": True,
                       "until": "2099-01-01T00:00:00Z", "key": "k", "seal": "0" * 64},),
    "a seal of letters": ({"holder": A, "digest": DIGEST, "purpose": "rollback", "seal": "ß"},),
    "a wrong code": ({"holder": A, "digest": DIGEST, "purpose": "rollback", "by": "dana", "code": "1-AAAA-AAAA"},),
}  # fmt: skip


async def test_nothing_that_is_sent_to_a_freeze_harms_it(tmp_path: Path) -> None:
    """Every signal and every update with every wrong input; then a right one works as if nothing had been."""
    async with frost(tmp_path) as scene:
        await scene.hold()
        for name in (*MESSAGES, "no_such_message"):
            for given in FORMS.values():
                await scene.handle.signal(name, args=list(given))
        for name in MESSAGES:
            for what, given in FORMS.items():
                assert await scene.refused(name, *given), f"{name} with {what}"
        sent = len(FORMS) * (len(MESSAGES) + 1)

        async def noted() -> bool:
            return sum(line.startswith("refused: ") for line in await scene.lines()) >= sent

        await until(noted, f"{sent} refusals")
        assert any("there is no message 'no_such_message'" in line for line in await scene.lines())
        state = await scene.state()
        assert [h.id for h in state.holders] == [A] and state.exemptions == () and state.in_force
        await scene.hold(B)
        assert await scene.push() == 422
        await scene.replayed()


async def test_a_message_that_was_carried_out_is_not_carried_out_again(tmp_path: Path) -> None:
    """What stands in a history anybody may copy: an old release does not end a new freeze, and a changed one has no seal."""
    async with frost(tmp_path) as scene:
        await scene.hold(B)
        await scene.hold(A)
        order = Release(service=API, incident_id=A, reason="stable")
        call = await scene.call(Freezes.release, order, A)
        await scene.freezes.release(order, call)
        words = scene.freezes._signed("release", "api", call, FreezeRequest(holder=A, reason="stable")).model_dump(mode="json")
        await scene.hold(A)
        assert "was done before" in (await scene.say("release", **words))["said"]
        assert (await scene.state()).holds(A)
        assert "not one of our workers'" in await scene.refused("release", {**words, "holder": B, "key": "another"})
        late = scene.freezes._signed(
            "release", "api", await scene.call(Freezes.release, order, A), FreezeRequest(holder=A)
        ).model_dump(mode="json")  # fmt: skip
        await scene.stage.env.sleep(timedelta(minutes=20))
        assert "expired at" in await scene.refused("release", late)
        ungranted = scene.freezes._signed("release", "api", call.model_copy(update={"grant": None, "key": "n"}), FreezeRequest(holder=A))
        assert "granted by nobody" in await scene.refused("release", ungranted.model_dump(mode="json"))
        assert [h.id for h in (await scene.state()).holders] == [B, A]


async def test_cancelled_it_holds_all_the_same_and_terminated_it_is_found_again(tmp_path: Path) -> None:
    """Nothing a Temporal operator does loses a holder that is still there."""
    async with frost(tmp_path) as scene:
        await scene.hold(A)
        await scene.handle.cancel()
        await scene.hears("refused: cancelled by an operator")
        assert (await scene.state()).in_force
        await scene.replayed()
        await scene.handle.terminate("by mistake")
        assert not (await scene.state()).frozen and await scene.push() == 422
        await scene.hold(B)
        assert [h.id for h in (await scene.state()).holders] == [B, A], "the ruleset still says who held it"
        await scene.release(B)
        assert await scene.push() == 422
        await scene.release(A)
        assert await scene.push() == 200
        await scene.ended()


async def test_a_release_after_a_termination_unlocks_what_is_left(tmp_path: Path) -> None:
    """The incident's own lift ends it, though its workflow is gone."""
    async with frost(tmp_path) as scene:
        await scene.hold(A)
        await scene.handle.terminate("by mistake")
        await scene.release(A)
        assert scene.rulesets() == [] and await scene.push() == 200
        await scene.ended()
        assert (await scene.release(A)).adopted
        await scene.ended()


async def test_a_history_that_begins_anew_keeps_everything(tmp_path: Path) -> None:
    """Holders, exemptions, questions and their codes, keys: the next run knows what the last one knew."""
    async with frost(tmp_path, more="[policy.freeze]\nmessages_per_run = 3\n") as scene:
        await scene.hold(A)
        first = (await scene.handle.describe()).run_id
        await scene.exempt(Purpose.ROLLBACK)
        await scene.refused("release", {"holder": A, "by": "lee"})

        async def renewed() -> bool:
            return (await scene.handle.describe()).run_id != first

        await until(renewed, "the next run")
        old = scene.stage.env.client.get_workflow_handle("freeze-api", run_id=first)
        assert (await old.describe()).status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        state = await scene.state()
        assert [h.id for h in state.holders] == [A] and state.in_force and len(state.exemptions) == 1 and len(state.questions) == 1
        await scene.use(Purpose.ROLLBACK)
        with pytest.raises(Refused, match="was used"):
            await scene.use(Purpose.ROLLBACK)
        await scene.say("approve", code=await scene.stage.code("dana", 1))
        await scene.ended()
        keys = [e["key"] for e in await scene.stage.effects() if e["face"] == "github" and e["changed"]]
        assert len(keys) == len(set(keys)), "no key is used for two effects"
        assert await scene.push() == 200
        await scene.replayed()


async def test_a_service_nobody_knows_is_refused_and_leaves_no_workflow_behind(tmp_path: Path) -> None:
    """A typo must not start something that lives for ever."""
    async with frost(tmp_path) as scene:
        order = Hold(service=API.model_copy(update={"name": "apo"}), incident_id=A, reason="errors")
        with pytest.raises(Refused, match="no service 'apo'"):
            await scene.freezes.hold(order, await scene.call(Freezes.hold, order, A))
        handle = scene.stage.env.client.get_workflow_handle("freeze-apo")

        async def over() -> bool:
            return (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED

        await until(over, "the empty freeze to end")


async def test_a_freeze_started_askew_from_the_temporal_ui_works(tmp_path: Path) -> None:
    """Everything it needs, it knows by its name."""
    async with frost(tmp_path) as scene:
        for given in ([], ["chat"], [{"kept": 7}], [{"kept": {"began": "yesterday"}}], [1, 2]):
            await scene.stage.env.client.start_workflow(
                "ChangeFreeze", args=given, id="freeze-api", task_queue=scene.stage.settings.queues[0]
            )
            told = await scene.say("hold", holder="budget", by="dana", reason="by hand")
            assert told["holders"] == ["budget"]
            await scene.say("hold", holder="budget", by="lee")
            assert "noor is not Incident Commander" in await scene.refused("hold", {"holder": A, "by": "noor"})
            await scene.handle.terminate("next")
            scene.repository.rulesets.clear()


async def test_deploys_past_the_freeze_are_reported_with_the_release(tmp_path: Path) -> None:
    """Drift check first (spec §7.2)."""
    async with frost(tmp_path) as scene:
        await scene.hold()
        scene.repository.lenient = True
        assert await scene.push(message="urgent!!!") == 200
        released = await scene.release()
        drift = released.after["drift"]
        assert "by ada" in str(drift) and "urgent!!!" in released.summary


class FreezeDrill(Playbook):
    """A playbook that does nothing of its own: the first minutes freeze, closing unfreezes."""

    card = Card(section="9.9", title="Freeze drill", short="frz", floor=Severity.SEV2, lead=(Role.OPS_LEAD,), triggers=())

    async def run(self, incident: Incident) -> None:
        async with self.triage():
            await workflow.wait_condition(lambda: any(imposed.certain for imposed in self.state.measures.of(FROZEN)))
        async with self.recovery():
            await self.resolve()


workflow.defn(FreezeDrill)


async def test_a_playbook_imposes_it_as_a_measure_and_lifts_it_on_the_commanders_word(tmp_path: Path) -> None:
    """The whole way: impose, look, question, code, release; the record has it all."""
    async with frost(tmp_path) as scene:
        stage = scene.stage
        types: Sequence[type] = [FreezeDrill, ChangeFreeze]
        queue = "freeze-drill"
        served = Worker(
            stage.env.client, task_queue=queue, workflows=types, activities=[*stage.fleet.activities],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )  # fmt: skip
        async with served:
            handle = await stage.env.client.start_workflow(
                "FreezeDrill", {"service": "api"}, id="inc-20261123-frz-api", task_queue=queue, task_timeout=timedelta(hours=1)
            )
            incident = RunningIncident(stage, handle)
            await incident.question("Resolve")
            assert await scene.push() == 422
            (measure,) = (await incident.status()).in_force
            assert (measure.name, measure.sticky, measure.certain) == ("change freeze", True, True)
            ended = await incident.ends()
            assert ended.state is State.RESOLVED and not ended.in_force
            assert [row.outcome for row in incident.book() if row.verb.startswith("freezes.")] == ["done", "done"]
            assert await scene.push() == 200


def test_every_door_of_a_freeze_is_guarded() -> None:
    """Each message is a signal and an update under one name; every update has a validator; everything has a description."""
    defined = workflow._Definition.must_from_class(ChangeFreeze)
    assert {name for name in defined.signals if name} == set(defined.updates) == set(MESSAGES)
    assert None in defined.signals, "a signal of an unknown name is noted"
    assert all(update.validator for update in defined.updates.values())
    named: list[Any] = [*defined.signals.values(), *defined.updates.values(), *defined.queries.values()]
    assert all(one.description for one in named if one.name)


def test_the_order_says_itself_by_hand() -> None:
    """With real values, for the night in which nothing of ours is alive."""
    hold = Hold(service=API, incident_id=A, reason="errors")
    (line,) = hold.by_hand()
    assert "repos/acme/api/rulesets" in line and json.dumps(f"change-freeze api: {A}") in line
    assert f"incident freeze release api --incident {A}" in hold.undo().by_hand()[0]
    assert hold.digest("freezes.hold") == hold.given(FreezeState(service="api", since=datetime.now(UTC))).digest("freezes.hold")
