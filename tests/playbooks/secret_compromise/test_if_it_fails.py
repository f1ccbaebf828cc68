"""§2.10, *if the playbook itself fails*: verifiers that remember, issuers that lie, consumers that nobody listed, and what must never get out."""

import gzip
from datetime import timedelta
from pathlib import Path

from practice.credentials.cast import GATEWAY, MARK
from tests.playbooks.secret_compromise.stolen import ends, living, of, served_by, stolen
from tests.stage.outages import makes, story
from workflows.incident import Phase, State


async def test_a_verifier_that_does_not_forget_is_waited_for_and_the_line_stays_open(tmp_path: Path) -> None:
    """The issuer says revoked, and the cached verifier lets it in: nothing is called done until it refuses."""
    async with stolen(tmp_path, "signing", thief=False, exposure="confirmed", dials={"stubborn": [GATEWAY], "caches": {GATEWAY: 9e4}}) as (
        stage, incident,
    ):  # fmt: skip
        status = await ends(stage, incident, {"accepted, but": "skip", "is not done": "skip"}, until=Phase.RECOVERY)
        said = story(await incident.timeline())
        assert "signing: refused by own; still let in by api gateway" in said
        assert any("uninstall the integration there" in task.text for task in status.tasks), said
        assert "not shown to be dead (refused by own; still let in by api gateway)" in said
        assert of(stage).store["SIGNING_KEY"][2].state == "ENABLED", "what cannot be tried any more could not be shown to be dead"
        assert served_by(stage, "SIGNING_KEY") == {"api": {3}, "orchestrator": {3}}, "nobody stands still for it"


async def test_an_issuer_that_says_revoked_and_lets_it_in_is_for_people(tmp_path: Path) -> None:
    """The thief goes on: it is not mitigated, and asked again and again."""
    async with stolen(tmp_path, "export", dials={"lies": ["exp-1"]}) as (stage, incident):
        await incident.commanded()
        await incident.hears("own lets the old key of export in although it is revoked")
        await incident.question("The impact has not ended")
        assert Phase.RECOVERY not in (await incident.status()).phases
        await makes(stage, "credential-dials", honest=["exp-1"])
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())


async def test_a_consumer_that_nobody_has_listed_is_found_by_its_use_and_served_too(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database", dials={"unlisted": ["database"]}) as (stage, incident):
        status = await ends(stage, incident)
        assert status.state is State.RESOLVED and "stands in no inventory" in story(await incident.timeline())
        assert served_by(stage, "DATABASE_URL") == {"api": {4}, "orchestrator": {4}}


async def test_a_source_that_nobody_could_look_into_is_not_clean(tmp_path: Path) -> None:
    async with stolen(tmp_path, "export", dials={"unread": ["ci"]}) as (_stage, incident):
        await incident.hears("not checked: ci")
        status = await incident.status()
        assert any(task.text.startswith("Look through ci for what export opens") for task in status.tasks)


async def test_a_mint_whose_answer_is_lost_leaves_one_replacement(tmp_path: Path) -> None:
    async with stolen(tmp_path, "database") as (stage, incident):
        await stage.inject("credentials.keys.make", "commit_then_drop", times=1)
        await stage.inject("secretmanager.versions.add", "fail", times=1)
        await ends(stage, incident, until=Phase.RECOVERY)
        (key,) = living(stage, incident.id)
        assert [n for n, one in of(stage).store["DATABASE_URL"].items() if one.value == key.value] == [4]


async def test_evidence_that_cannot_be_kept_keeps_no_stolen_key_alive(tmp_path: Path) -> None:
    async with stolen(tmp_path, "export") as (stage, incident):
        await stage.inject("credentials.keys.get", "fail", times=3)
        await ends(stage, incident, until=Phase.RECOVERY)
        assert of(stage).keys["exp-1"].revoked is not None


async def test_an_old_key_that_is_let_in_again_later_sends_it_back(tmp_path: Path) -> None:
    """A gap of a day is watched: what was called dead, and is used, is not over."""
    async with stolen(tmp_path, "export") as (stage, incident):
        await ends(stage, incident, until=Phase.RECOVERY)
        await makes(stage, "credential-dials", lies=["exp-1"])
        await incident.hears("uses of a credential from where nobody of ours is")


async def test_no_value_is_ever_found_outside_the_store_and_the_issuers(tmp_path: Path) -> None:
    """Planted and searched for: histories, record, evidence, timeline, effects, messages, tickets, logs of requests."""
    async with stolen(tmp_path, "deployer") as (stage, incident):
        await stage.inject("credentials.keys.make", "commit_then_drop", times=1)
        await stage.inject("secretmanager.versions.add", "fail", times=1)
        await stage.inject("openai.service_accounts.create", "fail", times=1)
        await ends(stage, incident)
        mark, places = MARK.encode(), list[tuple[str, bytes]]()
        assert any(MARK in one.value for one in of(stage).keys.values()), "they were planted"
        history = await incident.handle.fetch_history()
        places += [(f"event {event.event_id}", event.SerializeToString()) for event in history.events]
        places += [(str(file), _plain(file)) for file in tmp_path.rglob("*") if file.is_file()]
        state = stage.world.state
        places += [(person.name, repr(person.inbox).encode()) for person in state.people.values()]
        parts = {name: part for name, part in state.parts.items() if "credentials" not in name}
        places += [(name, repr(part).encode()) for name, part in parts.items()]
        places += [("requests", repr(stage.world.requests).encode()), ("timeline", story(await incident.timeline()).encode())]
        assert len(places) > 1000 and not [place for place, said in places if mark in said]


def _plain(file: Path) -> bytes:
    raw = file.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


async def test_an_inventory_that_is_away_holds_up_no_revocation_that_is_under_way(tmp_path: Path) -> None:
    """Another one is named while people choose, and nobody can say what it is: that is a task, and the first one is revoked."""
    async with stolen(tmp_path, "llm-main") as (stage, incident):
        await incident.question("Keep the stolen llm-main alive")
        await incident.commanded()
        await stage.inject("credentials.inventory.get", "fail")
        named = {"playbook": "secret_compromise", "credentials": "export", "exposure": "confirmed"}
        await incident.say("do", {"procedure": "call-in", "by": "dana", "reason": "found in a log", "fields": named})
        await incident.hears("Revoke export where it was issued: the inventory does not answer", skip=timedelta(seconds=20))
        await incident.answer("Revoke key_1 of proj_main")
        await incident.hears("done: credentials.revoke credential/llm-main", skip=timedelta(seconds=5))
        assert of(stage).keys["key_1"].revoked is not None
