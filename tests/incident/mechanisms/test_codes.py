"""A personal code is good once (ADR 21), on the drill: for one verdict on one question of one run, and it is kept nowhere."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from activities.kit.words.redact import codes_in
from tests.incident.mechanisms.outage import BROKEN, alive, incident_of, signalled
from tests.stage.drill import Drill
from tests.stage.running import RunningIncident, until
from workflows.incident import QuestionState


@contextmanager
def record_away(stage: Drill) -> Iterator[None]:
    """The record does not say which codes were used."""
    record = sqlite3.connect(stage.settings.organisation.parent / "ledger.db", isolation_level=None, timeout=30)
    record.execute("ALTER TABLE spent_codes RENAME TO away")
    yield
    record.execute("ALTER TABLE away RENAME TO spent_codes")
    record.close()


async def test_a_code_of_an_earlier_run_under_the_same_id_says_nothing(tmp_path: Path) -> None:
    """Declined, terminated, begun again: neither the code that declined nor one that was never used approves the same question now."""
    async with incident_of(tmp_path) as (stage, incident):
        number = (await incident.question("over from aurora")).number
        declined, unused = await stage.code("dana", number), await stage.code("ravi", number)
        await incident.say("decline", declined)

        async def rests() -> bool:
            return not (await incident.handle.describe()).raw_description.pending_activities

        await until(rests, "no activity to be under way: the test server stops skipping time when one loses its workflow")
        await incident.handle.terminate("begun again")
        client, queue = stage.env.client, stage.settings.queue
        again = RunningIncident(
            stage, await client.start_workflow("LLMProviderOutage", {"service": "chat"}, id=incident.id, task_queue=queue)
        )
        number = (await again.question("over from aurora")).number  # nearly always the same: two questions are asked side by side
        assert "used already, for decline" in await again.refused("approve", declined)
        assert "fits nobody" in await again.refused("approve", unused)
        assert "used already, for approve" in await again.refused("stand_down", {"code": unused, "reason": "I am ravi"})
        assert await stage.wrote("llm.routes.weights") == []
        await again.commanded()
        fresh = await stage.code("ravi", number, used=unused)
        assert "approve by ravi (verified)" in await again.say("approve", fresh)


async def test_whatever_becomes_of_a_message_its_code_is_spent_and_another_one_comes(tmp_path: Path) -> None:
    """The wrong question first: the code that was seen is good for nothing more, and the person has a new one at once."""
    async with incident_of(tmp_path) as (stage, incident):
        failover, degrade = (await incident.question("over from aurora")).number, (await incident.question("from retrieval only")).number
        code = await stage.code("dana", failover)
        told = await incident.refused("decline", {"question": degrade, "code": code})
        assert f"for question {failover}, not for {degrade}; a new code for question {failover} is sent to dana" in told
        for message, given in (("approve", code), ("stand_down", {"code": code, "reason": "I am dana"}), ("assign", {"code": code})):
            assert "used already, for decline" in await incident.refused(message, given)
        assert f"is for question {degrade}, and good for nothing else" in await incident.refused(
            "stand_down", {"code": await stage.code("lee", degrade), "reason": "I am lee"}
        )
        pages = [letter for letter in (await stage.http.get("/practice/inbox/dana")).json()["inbox"] if letter["via"] == "page"]
        newest = await stage.code("dana", failover, used=code)
        assert not any(newest in letter["text"] for letter in pages)
        assert "approve by dana (verified)" in await incident.say("approve", newest)
        assert await alive(incident)


async def test_while_the_record_is_away_what_needs_a_verified_answer_waits(tmp_path: Path) -> None:
    """Not even a no counts by a code that cannot be spent; by name it does. The same message counts when the record is back."""
    async with incident_of(tmp_path) as (stage, incident):
        failover, degrade = (await incident.question("over from aurora")).number, (await incident.question("from retrieval only")).number
        await incident.commanded()
        code, theirs = await stage.code("dana", failover), await stage.code("lee", degrade)
        with record_away(stage):
            assert "not spent; send it again when the record is back" in await incident.refused("approve", code)
            assert "not spent" in await incident.refused("decline", theirs)
            assert "decline by lee (self-declared)" in await incident.say("decline", {"question": degrade, "by": "lee"})
        assert await stage.wrote("llm.routes.weights") == []
        assert "approve by dana (verified)" in await incident.say("approve", code)


async def test_while_the_record_is_away_what_may_be_self_declared_is_answered(tmp_path: Path) -> None:
    """A fact, with a code that cannot be spent: it counts as what it is, a name."""
    async with incident_of(tmp_path, given={}) as (stage, incident):
        number = (await incident.question("Which service")).number
        code = await stage.code("dana", number)
        with record_away(stage):
            answer = {"question": number, "code": code, "value": {"service": "chat"}}
            assert "(self-declared)" in await incident.say("answer", answer)
        await incident.hears("done: models.route")


async def seen(stage: Drill, incident: RunningIncident) -> str:
    """Everything that is kept and shown of an incident: timeline, status, record, and what reached rooms, pages and tickets."""
    status, entries = await incident.status(), await incident.entries()
    kept = "".join(str(row) for row in incident.book()) + str(stage.fleet.ledger.status(incident.id))
    return status.model_dump_json() + str(entries) + kept + str(await stage.effects())


PLACES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "the note box": ("note", ("{}",)),
    "a note's author": ("note", ({"by": "{}", "text": "x"},)),
    "what is thought": ("note", ({"by": "dana", "text": "it is {}, I think", "about": "hypothesis"},)),
    "by": ("approve", ({"question": 2, "by": "{}"},)),
    "a second argument": ("approve", ({"question": 2, "by": "dana"}, "{}")),
    "a reason": ("decline", ({"question": 99, "by": "dana", "reason": "my code:\n{}"},)),
    "a name of a field": ("approve", ({"{}": 1},)),
    "a value": ("answer", ({"question": 2, "by": "dana", "value": {"a": ["{}"]}},)),
    "a field of the wrong type": ("approve", ({"question": "three", "code": "{}"},)),
    "a message with more around it": ("approve", ("{} please",)),
    "a role": ("assign", ({"role": "{}", "to": "{}", "by": "dana"},)),
    "a procedure": ("do", ({"procedure": "{}", "by": "dana"},)),
    "a severity": ("reclassify", ({"severity": "{}", "by": "dana"},)),
    "an unknown message": ("aprove", ("{}",)),
    "the name of a message": ("{}", ("x",)),
}


async def test_a_code_in_the_wrong_place_is_kept_nowhere_and_is_spent(tmp_path: Path) -> None:
    """It stands in the history, where others can read it: so it is good for nothing, and on no screen."""
    async with incident_of(tmp_path) as (stage, incident):
        await incident.question("over from aurora")
        codes = {place: f"2-4AB{n:X}-M{n:X}KD" for n, place in enumerate(PLACES)}
        for place, (name, given) in PLACES.items():
            code = codes[place]
            await signalled(incident, name.replace("{}", code), *(_with(code, one) for one in given))
        await signalled(incident, "note", BROKEN)

        async def spent() -> bool:
            with sqlite3.connect(tmp_path / "ledger.db") as record:
                return bool(record.execute("SELECT count(*) FROM spent_codes").fetchone()[0] >= len(codes))

        await until(spent, "every code to be spent")
        await incident.pass_time(timedelta(minutes=1))
        for place, code in codes.items():
            assert "used already" in await incident.refused("approve", code), place
        assert not [code for code in codes_in(await seen(stage, incident)) if code in codes.values()]
        assert [q.state for q in (await incident.status()).questions[1:3]] == [QuestionState.OPEN] * 2
        assert await alive(incident)


def _with(code: str, given: Any) -> Any:
    if isinstance(given, dict):
        return {_with(code, key): _with(code, value) for key, value in given.items()}
    if isinstance(given, list):
        return [_with(code, one) for one in given]
    return given.replace("{}", code) if isinstance(given, str) else given
