"""What no system of ours can do is a task for a person, by its exact words. What the playbooks hand over stands in their own stories."""

from pathlib import Path

from tests.incident.test_comms import MINUTE, incident_of
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from workflows.procedures.procedures import BY_HAND_ONLY


async def test_a_provider_that_answers_from_elsewhere_makes_our_own_network_a_task(tmp_path: Path) -> None:
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare()
        said = await incident.hears("from another network")
        assert said == "task: for Ops Lead (lee): aurora answers from another network: check our own egress, DNS, key and quota"


async def test_what_automation_never_does_is_a_task_with_its_commands_until_somebody_attests_it(tmp_path: Path) -> None:
    """Export, count, do it, count again: the answer that lacks a number is asked for again."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare("Triage")
        await incident.say("do", {"by": "lee", "procedure": "flush-cache", "reason": "a drill"})
        question = await incident.question("Flush a whole cache database: done?")
        assert question.asks.startswith("Flush a whole cache database: done? Say what was exported, and the census before and after")
        (task,) = [task for task in (await incident.status()).tasks if "Flush" in task.text]
        better = "delete targeted keys: redis-cli --scan --pattern 'cag:*:model:*' | xargs -r -n 500 redis-cli UNLINK"
        whole = "Otherwise export, count, do it, count again"
        assert task.text == f"Flush a whole cache database: automation never does this. Better: {better}. {whole}"
        assert task.by_hand == ("redis-cli --rdb before-flush.rdb", "redis-cli DBSIZE", "redis-cli FLUSHDB", "redis-cli DBSIZE")
        await incident.say("answer", {"question": question.number, "by": "lee", "value": {"exported": "gs://x/before.rdb", "before": 9}})
        await incident.hears("the answer lacks exported, before or after; asked again")
        again = await incident.question("Flush a whole cache database: done?")
        counted = {"exported": "gs://x/before.rdb", "before": 9, "after": 0}
        await incident.say("answer", {"question": again.number, "by": "lee", "value": counted})
        await incident.hears("attested: Flush a whole cache database: exported to gs://x/before.rdb, 9 before, 0 after")
        (done,) = [task for task in (await incident.status()).tasks if "Flush" in task.text]
        assert done.done_by == "lee"


def test_what_automation_never_does_is_told_whole() -> None:
    """By title, owner, and what is better."""
    assert {name: (one.title, one.owner.value) for name, one in BY_HAND_ONLY.items()} == {
        "flush-cache": ("Flush a whole cache database", "ops_lead"),
        "purge-queue": ("Purge pending tasks", "ops_lead"),
        "clamp-all": ("Clamp every tenant's budget to zero", "finance"),
        "revoke-all-sessions": ("Force logout of all sessions", "security_lead"),
        "rotate-secret": ("Rotate a secret", "security_lead"),
    }


async def test_posts_that_a_status_page_lacks_are_a_task_when_the_incident_ends(tmp_path: Path) -> None:
    async with incident_of(tmp_path, injected={"statuspage.*": "fail"}) as (_, incident):
        await incident.answer("Publish")
        await incident.hears("not sent: status page")
        await incident.say("stand_down", {"by": "dana", "reason": "by hand"})
        task = (await incident.ends()).tasks[-1]
        said = "The status page is down and lacks these posts: publish them when it is back"
        assert (task.owner, task.text) == ("comms_lead", said) and task.by_hand


async def test_a_post_that_the_status_page_refuses_is_a_task(tmp_path: Path) -> None:
    async with incident_of(tmp_path, injected={"statuspage.*": "fail"}) as (stage, incident):
        await incident.answer("Publish")
        await incident.hears("not sent: status page")
        await stage.stop_injecting()
        await stage.inject("statuspage.incidents.create", "fail", status=422)
        said = await incident.hears("refuses a post", skip=MINUTE, patience=5)
        assert said == "task: for Comms Lead (noor): The status page refuses a post: put it there by hand"
