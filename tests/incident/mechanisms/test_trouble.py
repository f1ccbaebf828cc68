"""What is not sure, what is down, and what is lost when a reply is lost (design §4), on the drill."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tests.incident.mechanisms.outage import FIVE, alive, incident_of
from tests.stage.drill import Drill, drill
from tests.stage.organisation import brisk
from tests.stage.running import RunningIncident, until
from workflows.incident import State


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
