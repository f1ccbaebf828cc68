"""§2.1, continued: causes that no rollback cures, one story for each (spec §9.1, 3b to 3e and 6)."""

import re
from datetime import timedelta
from pathlib import Path

from activities.action import Role
from tests.stage.drill import drill
from tests.stage.outages import MINUTE, STANDING, changed, failing, makes, mended, outage, passes, pinned, quick, split_of, story
from workflows.incident import QuestionKind, QuestionState, State

# -- innocent changes -----------------------------------------------------------------------------------------------------------------


async def test_an_innocent_latest_deploy_is_not_the_end_of_it(tmp_path: Path) -> None:
    """A bad artefact is read by everything, whatever its revision: it is paused and pinned; no rollback is called a success."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "deploys", service="api", error_rate=0.0, what="an innocent deploy")
        await passes(stage, 60)
        await makes(stage, "feeds/routing-rules", bad=True, error_rate=0.5)
        await passes(stage, 240)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.hears("feeds.pause feed/routing-rules")
        await incident.answer("Put back what was")
        await incident.question("feeds.resume on feed/routing-rules is not done")
        assert "its generator must be mended first" in await incident.hears("failed: feeds.resume")
        await makes(stage, "feeds/routing-rules", bad=False)
        await incident.answer("feeds.resume on", "retry")
        status = await incident.ends()
        lines = await incident.timeline()
        assert status.state is State.RESOLVED, story(lines)
        assert status.in_force == []
        generator = "Find out why routing-rules makes bad versions, and repair its generator"
        assert generator in [task.text for task in status.tasks if task.owner is Role.OPS_LEAD]
        assert not any("the rollback helps" in line for line in lines)
        assert await split_of(stage) == pinned("LATEST")
        feed = (await stage.look())["fleet"]["feeds"]["routing-rules"]
        assert feed["running"] and feed["pinned"] is None


async def test_a_suspected_flag_is_switched_off_and_restored_in_the_end(tmp_path: Path) -> None:
    """A flag is ours to switch: nobody is asked before, somebody is before it is on again."""
    fault = {"kind": "flag", "flag": "checkout.v2", "rate": 0.5}
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", **fault)
        await makes(stage, "changes", services=["api"], kind="flag", what="checkout.v2 to 100 %", details={"flag": "checkout.v2"})
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.hears("flags.switch_off flag/checkout.v2")
        assert not (await stage.look())["flags"]["checkout.v2"]
        await incident.question("Put back what was")
        assert await failing(stage) < 0.01
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        assert (await stage.look())["flags"]["checkout.v2"]
        assert incident.done("deploys.shift") == []


async def test_another_kind_of_change_is_undone_by_whoever_made_it_and_judged_by_the_metrics(tmp_path: Path) -> None:
    """A task and a person's word; the word alone is not enough: what does not get better is ruled out."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", kind="region", rate=0.5)
        await makes(stage, "changes", services=["api"], kind="config", what="pool size from 20 to 2")
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        question = await incident.question("done?")
        assert question.kind is QuestionKind.FACT
        (undo,) = [task for task in (await incident.status()).tasks if task.owner is Role.OPS_LEAD]
        assert re.fullmatch(r"Undo config chg-\d+ by \w+ at \d\d:\d\d:\d\d UTC: pool size from 20 to 2", undo.text), undo.text
        assert question.asks.startswith(f"{undo.text}: done?")
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert await changed(stage, "run.", "platform.") == []


async def test_a_word_that_the_metrics_do_not_confirm_crosses_the_cause_out_and_the_next_is_looked_for(tmp_path: Path) -> None:
    """Ran to be undone, and no better: ruled out, shed, and in the end the nearest deploy is rolled back, asked."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", kind="region", rate=0.5)
        await makes(stage, "changes", services=["api"], kind="config", what="pool size from 20 to 2")
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        question = await incident.question("pool size from 20 to 2: done?")
        code = await stage.code("lee", question.number)
        await incident.say("answer", {"question": question.number, "code": code, "value": "reverted", "reason": "drill"})
        await incident.hears("ruled out: change", skip=MINUTE)
        rollback = await incident.question("Roll api back", skip=MINUTE)
        assert any("the cause is unknown" in fact for fact in rollback.facts), rollback.facts
        assert (await incident.status()).mitigated_at is None


# -- places, load and dependencies ----------------------------------------------------------------------------------------------------


async def test_one_region_that_fails_is_drained_after_a_question_and_gets_its_traffic_back(tmp_path: Path) -> None:
    """Absolute weights; nobody is answered from there; back in steps when it is well."""
    async with outage(tmp_path, fault={"kind": "region", "region": "eu-west", "rate": 0.6}) as (stage, incident):
        question = await incident.question("Drain eu-west")
        assert any("regions" in line and "curl" in line for line in question.by_hand)
        assert await changed(stage, "platform.") == []
        await incident.answer("Drain eu-west")
        await incident.question("Put back what was", skip=MINUTE)
        assert (await stage.look())["fleet"]["services"]["api"]["weights"] == {"eu-west": 0.0, "us-east": 1.0}
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        assert (await stage.look())["fleet"]["services"]["api"]["weights"] == {"eu-west": 0.5, "us-east": 0.5}
        assert incident.done("deploys.shift") == []


async def test_a_drain_onto_regions_without_headroom_is_not_even_asked_for(tmp_path: Path) -> None:
    """The others must be able to serve 1.3 times what is asked: nobody is woken for what may not be done, and the next cause is looked at."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", kind="load", factor=1.25)
        await makes(stage, "service-faults", service="api", kind="region", region="eu-west", rate=0.6)
        await passes(stage, 180)
        incident = await stage.declare("ProductionOutage", service="api")
        assert "wanted are 1.3" in await incident.hears("eu-west is not drained")
        await incident.hears("diagnosis: the cause is unknown", skip=MINUTE)
        status = await incident.status()
        assert not any("Drain" in question.asks for question in status.questions)
        (room,) = [task.text for task in status.tasks if task.owner is Role.OPS_LEAD]
        assert room.startswith("Repair eu-west, or make room for its traffic elsewhere: ") and "wanted are 1.3" in room, room
        assert (await stage.look())["fleet"]["services"]["api"]["weights"] == {"eu-west": 0.5, "us-east": 0.5}


async def test_load_is_limited_and_scaled_and_both_are_put_back(tmp_path: Path) -> None:
    """Serve more, then let in what can be served: nobody is turned away by that, and so nobody is asked."""
    async with outage(tmp_path, fault={"kind": "load", "factor": 3.5}) as (stage, incident):
        await incident.hears("edge.limit service/api")
        api = (await stage.look())["fleet"]["services"]["api"]
        assert api["gateway"]["rate_limit_rps"] == 24.0
        assert {region: place["least"] for region, place in api["places"].items()} == {"eu-west": 6, "us-east": 6}
        await incident.question("Put back what was", skip=MINUTE)
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        api = (await stage.look())["fleet"]["services"]["api"]
        assert api["gateway"]["rate_limit_rps"] is None and not api["gateway"]["breaker"]
        assert {region: place["least"] for region, place in api["places"].items()} == {"eu-west": 4, "us-east": 4}
        leads = next(one for one in status.checklist if one.key == "leads")
        assert leads.evidence == "Ops Lead: lee, Comms Lead: noor", "both have answered in their roles"


async def test_a_broken_dependency_gets_a_breaker_and_a_task(tmp_path: Path) -> None:
    """We keep it from being overrun; whoever owns it brings it back."""
    async with outage(tmp_path, fault={"kind": "dependency", "dependency": "cache", "rate": 0.7}) as (stage, incident):
        said = await incident.hears("Bring cache")
        assert said == "task: for Ops Lead (lee): Bring cache back; we only protect it from overload"
        gateway = (await stage.look())["fleet"]["services"]["api"]["gateway"]
        assert gateway["breaker"] and gateway["rate_limit_rps"] is None
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        assert not (await stage.look())["fleet"]["services"]["api"]["gateway"]["breaker"]
        assert incident.done("deploys.shift") == []


# -- data -----------------------------------------------------------------------------------------------------------------------------


async def test_integrity_errors_stop_writes_after_one_question_and_they_come_back_in_steps(tmp_path: Path) -> None:
    """Asked of the commander or the DB Lead, once; a person repairs the data; no schema and no code is rolled back by us."""
    async with outage(tmp_path, fault={"kind": "integrity", "rate": 0.4}) as (stage, incident):
        question = await incident.question("Api takes no writes")
        assert [role.value for role in question.roles] == ["incident_commander", "db_lead"]
        assert (await stage.look())["fleet"]["services"]["api"]["gate"]["admitted"] == 1.0
        await incident.answer("Api takes no writes")
        said = await incident.hears("Repair the data of api")
        assert said.endswith(": Repair the data of api; no schema is rolled back by us") and "for DB Lead" in said, said
        assert (await stage.look())["fleet"]["services"]["api"]["gate"]["admitted"] == 0.0, "before anything is repaired"
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED and status.in_force == [], story(await incident.timeline())
        admitted = [e["after"]["admitted"] for e in await changed(stage, "platform.")]
        assert admitted == [0.0, 0.01, 0.1, 1.0]
        assert sum("takes no writes" in q.asks for q in status.questions) == 1
        assert incident.done("deploys.shift") == []


async def test_unsafe_writes_are_asked_about_beside_the_rest_and_not_before_it(tmp_path: Path) -> None:
    """A region fails and damages data: neither question waits for the other, and when the impact has ended the open one is withdrawn."""
    async with outage(tmp_path, fault={"kind": "region", "region": "eu-west", "rate": 0.6}) as (stage, incident):
        await makes(stage, "service-faults", service="api", kind="integrity", rate=0.02)
        await passes(stage, 60)
        drain, stop = await incident.question("Drain eu-west"), await incident.question("Api takes no writes", skip=MINUTE)
        assert stop.open and drain.open
        await incident.answer("Drain eu-west")
        await mended(stage)
        await incident.hears("mitigated:", skip=MINUTE)
        assert next(q for q in (await incident.status()).questions if q.number == stop.number).state is QuestionState.WITHDRAWN
        assert await changed(stage, "platform.write-gate") == []


async def test_writes_of_which_nobody_can_say_whether_they_are_safe_count_as_unsafe_after_a_while(tmp_path: Path) -> None:
    """Unknown for ten minutes is unsafe (A.1 T4); the question says that nobody knows."""
    async with drill(tmp_path, policy=quick()) as stage:
        await makes(stage, "service-faults", service="api", kind="region", region="eu-west", rate=0.6)
        await passes(stage, 180)
        await stage.inject("platform.schema.get", "fail")
        incident = await stage.declare("ProductionOutage", service="api")
        await incident.question("Drain eu-west")
        assert not any("no writes" in q.asks for q in (await incident.status()).questions)
        stop = await incident.question("Api takes no writes", skip=MINUTE)
        assert stop.asked_at - (await incident.status()).declared_at >= timedelta(minutes=10)
        assert "nobody can say whether writes are safe" in stop.asks


async def test_with_a_standing_policy_writes_are_stopped_at_once(tmp_path: Path) -> None:
    """Two people signed it beforehand: the integrity alarm alone is enough (spec §2.5.6)."""
    policy = quick(STANDING.format(verb="write_gate.close"))
    async with outage(tmp_path, policy=policy, fault={"kind": "integrity", "rate": 0.4}) as (stage, incident):
        await incident.hears("write_gate.close service/api")
        status = await incident.status()
        assert not any("takes no writes" in q.asks for q in status.questions)
        assert [(m.name, m.sticky) for m in status.in_force if m.name == "read-only"] == [("read-only", True)]
        assert (await stage.look())["fleet"]["services"]["api"]["gate"]["admitted"] == 0.0


# -- nobody knows ---------------------------------------------------------------------------------------------------------------------


async def test_while_the_cause_is_unknown_load_is_shed_and_then_the_nearest_change_is_rolled_back_all_the_same(tmp_path: Path) -> None:
    """Not before the time that policy gives; asked; the features come back one after the other."""
    features = ("tools.high_psu", "batch.enabled", "scheduler.enabled")
    async with outage(tmp_path, fault={"kind": "region", "rate": 0.5}) as (stage, incident):
        await incident.hears("flags.switch_off flag/scheduler.enabled")
        flags = (await stage.look())["flags"]
        assert [flags[feature] for feature in features] == [False, False, False]
        question = await incident.question("Roll api back")
        waited = question.asked_at - (await incident.status()).declared_at
        assert waited >= 5 * MINUTE, waited
        assert any("the cause is unknown; nearest change: deploy" in fact for fact in question.facts)
        await mended(stage)
        status = await incident.ends()
        assert status.state is State.RESOLVED, story(await incident.timeline())
        flags = (await stage.look())["flags"]
        assert [flags[feature] for feature in features] == [True, True, True]
        assert await split_of(stage) == pinned("api-00040")
