"""§2.11: what only people can say, and what happens when they say no, or nothing; letters by a real SMTP server."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from practice.stores.mail import Mailbox, mail_server
from starters.gameday.processes import free_ports
from tests.playbooks.cache_poisoning.poisoned import ends, of, poisoned, wrong
from tests.stage.outages import story
from workflows.incident import Phase, Silence, State


async def test_a_judge_model_alone_does_not_close_it(tmp_path: Path) -> None:
    """The metrics are well, people find twelve of fifty wrong: the cache stays off, and it goes back to mitigation."""
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        question = await incident.question("How many of 50")
        await incident.commanded()
        code = await stage.code("ravi", question.number)
        await incident.say("answer", {"question": question.number, "code": code, "reason": "read them", "value": 38})
        await incident.hears("relapse: people found only 38 of 50")
        assert of(stage).cag.share == 0
        status = await ends(incident)
        assert status.state is State.RESOLVED and status.phases.count(Phase.MITIGATION) == 2, story(await incident.timeline())


async def test_a_number_that_is_none_is_asked_again_and_silence_holds(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        question = await incident.question("How many of 50")
        await incident.commanded()
        code = await stage.code("ravi", question.number)
        await incident.say("answer", {"question": question.number, "code": code, "reason": "drill", "value": "most of them"})
        await incident.hears("most of them is no number of 50 answers")
        for _ in range(6):
            await incident.pass_time(timedelta(minutes=30))
        status = await incident.status()
        assert status.state is State.MITIGATED and of(stage).cag.share == 0 and any("How many of 50" in q.asks for q in status.asking)


async def test_nobody_who_judges_means_people_carry_on(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        await incident.answer("How many of 50", "decline", by="ravi")
        await incident.hears("handed over: nobody has judged answers about billing")
        assert of(stage).cag.share == 0


async def test_a_declined_swap_leaves_the_poison_out_and_the_old_index_in(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        status = await ends(incident, {"from index": "decline"}, until=Phase.RECOVERY)
        assert of(stage).alias.index == "billing-1" and of(stage).quarantine.documents and await wrong(stage) == 0
        assert any(task.text.startswith("Use the new index of billing when it is agreed to") for task in status.tasks)


async def test_silence_on_the_swap_holds_and_contains(tmp_path: Path) -> None:
    """Nobody answers for hours: the poison is out, the cache is off, and nothing else happens."""
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        question = await incident.question("from index")
        assert question.silence is Silence.HOLD
        for _ in range(6):
            await incident.pass_time(timedelta(minutes=20))
        assert of(stage).alias.index == "billing-1" and of(stage).cag.share == 0 and await wrong(stage) == 0


async def test_standing_down_in_the_middle_keeps_the_quarantine_and_gives_back_the_rest(tmp_path: Path) -> None:
    """What is sticky stays (spec §2.7): never lifted on abort."""
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        await incident.question("from index")
        await incident.commanded()
        await incident.verified("stand_down", "dana", reason="by hand from here")
        status = await ends(incident)
        assert status.state is State.STOOD_DOWN, story(await incident.timeline())
        domain = of(stage)
        assert domain.quarantine.documents and domain.cag.share == 1.0 and not domain.coalescing.on
        assert domain.namespace.version == 2, "what was cached before must not be found again"
        assert [one.name for one in status.in_force] == ["quarantined"]


async def test_a_tenants_own_document_is_kept_out_only_on_a_word(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned", domain="contracts") as (stage, incident):
        question = await incident.question("out of every answer of contracts")
        assert question.risk.value == 2 and of(stage, "contracts").quarantine.documents == []
        await incident.answer("out of every answer of contracts", "decline", by="ravi")
        await incident.hears("declined: retriever.quarantine")
        assert of(stage, "contracts").quarantine.documents == []


async def test_those_who_were_misled_get_a_letter_that_legal_and_the_commander_agreed_to(tmp_path: Path) -> None:
    """C3: two people, the exact text and list; everybody once, by a real SMTP server; no address in the record."""
    (port,) = free_ports(1)
    mail: dict[str, Any] = {"smtp_address": f"127.0.0.1:{port}", "smtp_tls": "none", "smtp_from": "incidents@example.com"}
    async with poisoned(tmp_path, "poisoned", **mail) as (stage, incident), AsyncExitStack() as stack:
        await stack.enter_async_context(mail_server(stage.world, port))
        question = await incident.question("Send the letter")
        assert [role.value for role in question.roles] == ["legal", "incident_commander"] and question.quorum == 2
        await incident.answer("Send the letter", by="lou")
        assert stage.world.state.part(Mailbox).letters == []
        status = await ends(incident, {"Send the letter": "approve"})
        letters = stage.world.state.part(Mailbox).letters
        assert status.state is State.RESOLVED and letters, story(await incident.timeline())
        assert len({one["to"] for one in letters}) == len(letters) and all("not correct" in one["text"] for one in letters)
        told = story(await incident.timeline())
        assert not any(one["to"] in told for one in letters) and f"taken for {len(letters)}" in told
