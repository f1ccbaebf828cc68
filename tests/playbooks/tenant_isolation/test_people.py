"""§2.5: what only people can say, and what happens when they say no, or nothing; letters by a real SMTP server; a plan, shadow mode, by hand."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.stores.mail import Mailbox, mail_server
from starters.gameday.processes import free_ports
from tests.playbooks.tenant_isolation.leaking import admitted, ends, leaking, of, quick, ships
from tests.stage.drill import drill
from tests.stage.outages import makes, passes, story
from workflows.incident import Phase, Silence, State
from workflows.status import Outcome


async def test_owners_and_viewers_get_letters_that_legal_and_the_commander_agreed_to(tmp_path: Path) -> None:
    """C1: two letters, each to its own, everybody once, by a real SMTP server; no address in the record, and no letter on one word."""
    (port,) = free_ports(1)
    mail: dict[str, Any] = {"smtp_address": f"127.0.0.1:{port}", "smtp_tls": "none", "smtp_from": "incidents@example.com"}
    async with leaking(tmp_path, "missing_where", **mail) as (stage, incident), AsyncExitStack() as stack:
        await stack.enter_async_context(mail_server(stage.world, port))
        await ends(stage, incident, until=Phase.RECOVERY)
        assert not any("Send the letter" in q.asks for q in (await incident.status()).questions), (
            "it says that it is repaired: not before that"
        )
        await ships(stage)
        await incident.answer("Which artefact", "decline")
        question = await incident.question("Send the letter isolation-owners")
        assert [role.value for role in question.roles] == ["legal", "incident_commander"] and question.quorum == 2
        await incident.answer("Send the letter isolation-owners", by="lou")
        assert stage.world.state.part(Mailbox).letters == []
        await incident.answer("Send the letter isolation-owners", by="dana")
        await incident.hears("done: mail.send letter/isolation-owners")
        status = await ends(stage, incident, {"Send the letter": "approve", "send the letter": "approve"})
        letters, seen = stage.world.state.part(Mailbox).letters, of(stage).accesses
        by_side = {
            side: [one for one in letters if part in one["text"]]
            for side, part in (("owner", "could be read by another"), ("viewer", "shown you data"))
        }
        for side, sent in by_side.items():
            concerned = {getattr(one, side) for one in seen}
            assert {one["to"] for one in sent} == {f"ops@{name}.example.com" for name in concerned} and len(sent) == len(concerned)
        told = story(await incident.timeline())
        assert status.state is State.RESOLVED and not any(one["to"] in told for one in letters), told
        assert any(task.text.startswith("Collect from each tenant") for task in status.tasks)


async def test_silence_on_read_only_asks_for_less_and_silence_on_letting_in_holds(tmp_path: Path) -> None:
    """SAFE is narrower: only what writes at the surface, and asked once nothing leaks; HOLD is for ever: nothing is let in by silence."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        question = await incident.question("takes no writes in eu-west")
        assert question.silence is Silence.SAFE
        await incident.commanded()
        narrower = await incident.question("Deny documents.put", skip=timedelta(minutes=2))
        assert narrower.silence is Silence.HOLD and admitted(stage)["documents.put"] == 1, "nothing leaks any more: it is asked"
        await incident.answer("Deny documents.put", by="sam")
        await incident.hears("done: endpoints.deny endpoint/api/documents.put")
        assert all(place.gate.admitted == 1 for place in stage.world.state.fleet.services["api"].places.values())
        await ends(stage, incident, {"Let documents": ""}, until=Phase.RECOVERY)
        await ships(stage)
        await incident.answer("Which artefact", "decline")
        asked = await incident.question("Let documents.get in again")
        assert asked.silence is Silence.HOLD and asked.quorum == 2
        for _ in range(6):
            await incident.pass_time(timedelta(minutes=20))
        assert admitted(stage)["documents.get"] == 0


async def test_a_no_to_letting_in_means_not_yet_and_is_asked_again(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        await ships(stage)
        await incident.answer("Which artefact", "decline")
        await incident.answer("Let documents.get in again", "decline", by="sam")
        assert admitted(stage)["documents.get"] == 0
        again = await incident.question("Let documents.get in again")
        assert again.number and admitted(stage)["documents.get"] == 0
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and admitted(stage)["documents.get"] == 1, story(await incident.timeline())


async def test_what_writes_comes_back_after_what_reads(tmp_path: Path) -> None:
    """R2: endpoint by endpoint, writes last."""
    async with leaking(tmp_path, "missing_where", endpoints=("documents.put", "documents.get")) as (stage, incident):
        await ends(stage, incident, fix={})
        back = [e["target"].rpartition("/")[2] for e in await stage.effects() if e["route"] == "platform.endpoints.put" and e["changed"]]
        assert back.index("documents.put") >= 0 and back[-1] == "documents.put", back
        order = [e["route"] for e in await stage.effects() if e["changed"]]
        last = {route: len(order) - order[::-1].index(route) for route in ("platform.endpoints.put", "platform.region_write_gate.put")}
        assert last["platform.region_write_gate.put"] > last["platform.endpoints.put"], "the writes of the regions after everything"


async def test_a_hotfix_passes_the_freeze_on_two_words_for_one_artefact(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        digest = "sha256:" + 64 * "c"
        await ends(stage, incident, {"Which artefact": ""}, until=Phase.RECOVERY)
        question = await incident.question("Which artefact")
        code = await stage.code("lee", question.number)
        await incident.say("answer", {"question": question.number, "code": code, "reason": "the build", "value": digest})
        asked = await incident.question("pass the freeze, once")
        assert asked.quorum == 2 and {role.value for role in asked.roles} == {"incident_commander", "security_lead"}
        status = await ends(stage, incident, {"Which artefact": "answer"}, fix={})
        assert status.state is State.RESOLVED and incident.done("freezes.exempt"), story(await incident.timeline())


async def test_standing_down_keeps_everything_closed(tmp_path: Path) -> None:
    """Sticky: what was closed for isolation is never opened by an abort (spec §2.7)."""
    async with leaking(tmp_path, "missing_where") as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        await incident.verified("stand_down", "dana", reason="by hand from here")
        status = await ends(stage, incident)
        assert status.state is State.STOOD_DOWN, story(await incident.timeline())
        assert admitted(stage)["documents.get"] == 0
        assert all(place.gate.admitted == 0 for place in stage.world.state.fleet.services["api"].places.values())
        assert {one.name for one in status.in_force} == {"endpoint denied", "region read-only", "change freeze"}


async def test_a_plan_says_every_step_and_changes_nothing(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where") as (stage, _):
        plan = await stage.declare("TenantIsolation", service="api", rehearsal=True)
        outcome = Outcome.model_validate(await plan.handle.result())
        assert outcome.rehearsed is not None
        verbs = [step.verb for step in outcome.rehearsed.steps]
        for verb in ("endpoints.deny", "evidence.isolation", "tenancy.matrix", "write_gate.close_region", "evidence.leak_ledger",
                     "row_security.prove", "mail.send", "endpoints.reopen", "write_gate.reopen_region"):  # fmt: skip
            assert verb in verbs, verbs
        assert not [e for e in await stage.effects() if e["key"] and plan.id in str(e["key"])]


async def test_in_shadow_mode_only_people_change_anything(tmp_path: Path) -> None:
    async with leaking(tmp_path, "missing_where", mode="shadow") as (stage, incident):
        await incident.hears("endpoints.deny")
        await incident.hears("leak matrix")
        assert set(admitted(stage).values()) == {1.0} and not [e for e in await stage.effects() if e["face"] == "platform"]
        await incident.say("stand_down", {"by": "dana", "reason": "enough seen"})
        status = await ends(stage, incident)
        assert status.state is State.STOOD_DOWN and status.in_force == [], story(await incident.timeline())


async def test_everything_can_be_done_by_hand(tmp_path: Path) -> None:
    """Each step and each question prints its own commands, with real values: on the Gateway API by kubectl."""
    policy = quick(more='[policy.systems]\nendpoints = "gateway api"\n')
    async with leaking(tmp_path, "missing_where", policy=policy) as (stage, incident):
        question = await incident.question("takes no writes in eu-west")
        assert any("/v1/services/api/regions/eu-west/write-gate" in line for line in question.by_hand)
        steps = {step.verb: step.by_hand for step in (await incident.status()).steps}
        assert any("httproute/documents.get" in line and "weight" in line for line in steps["endpoints.deny"]), steps["endpoints.deny"]
        assert any("X-Tenant: canary-eu-1" in line for line in steps["tenancy.matrix"])
        assert any("/v1/services/api/crossings" in line for line in steps["evidence.isolation"])
        assert admitted(stage)["documents.get"] == 0, "by the HTTPRoute"


async def test_without_a_tenancy_map_denying_is_a_paged_task_with_a_time_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Evidence, snapshot, ledger and hotfix go on; what canaries cannot say, people do; nothing is opened by silence."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "tenancy-faults", kind="missing_where", endpoints=[])
        await passes(stage, 120)
        await stage.inject("tenancy.map", "fail", status=404)
        incident = await stage.declare("TenantIsolation", service="api")
        question = await incident.question("Is everything denied by which data of api crosses tenants")
        status = await incident.status()
        (task,) = [one for one in status.tasks if one.text.startswith("Deny by hand whatever of api shows tenants one another's data")]
        assert task.owner == "security_lead" and task.due.endswith(" UTC") and f"(task {task.number})" in question.asks
        assert f"until {task.due}: it has no tenancy map" in await incident.hears("paged: sam")
        assert {"evidence.isolation", "databases.snapshot", "evidence.leak_ledger"} <= {
            one.verb for one in status.steps if one.state == "done"
        }
        assert not [one for one in status.asking if "failed" in one.asks], [one.asks for one in status.asking]
        of(stage).endpoints["documents.get"].admission.admitted = 0.0  # people do it
        status = await ends(stage, incident, {"Has nothing of api crossed": ""}, fix={}, until=None, rounds=60, lenient=True)
        asked = next(one for one in status.asking if one.asks.startswith("Has nothing of api crossed for 10 minutes"))
        assert asked.quorum == 2 and status.resolved_at is None, "not on silence"
        await incident.answer("Has nothing of api crossed", by="sam")
        await incident.answer("Has nothing of api crossed", by="dana")
        ended = await ends(stage, incident)
        assert ended.state is State.RESOLVED and not incident.done("endpoints.deny"), story(await incident.timeline())
