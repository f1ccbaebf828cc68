"""§2.11: what comes back, what hides, and what is wrong where nobody looked."""

import re
from pathlib import Path

import pytest

from practice.knowledge.library import Knowledge
from tests.playbooks.cache_poisoning.poisoned import ends, entries, of, poisoned, wrong
from tests.stage.outages import makes, passes, story
from tests.stores.caches import server
from workflows.incident import Phase, State

REFUNDS = "billing/refunds"


async def test_poison_that_comes_back_from_a_live_writer_calls_for_their_key(tmp_path: Path) -> None:
    """Each time under another hash: every version of the document is kept out, §2.10 is called in, and nothing is fetched before they are out."""
    async with poisoned(tmp_path, "writer") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        said = story(await incident.timeline())
        assert "it did not help: billing: poisoned" in said and f"the poison came back: somebody writes {REFUNDS} again" in said
        assert "Called in §2.10 Secret/API-key compromise" in said or "§2.10 Secret/API-key compromise: whoever writes" in said
        assert REFUNDS in of(stage).quarantine.documents and await wrong(stage) == 0
        await incident.question("shut out")
        (await stage.http.delete("/practice/knowledge-faults")).raise_for_status()
        ended = await ends(incident)
        assert ended.state is State.RESOLVED, story(await incident.timeline())
        assert REFUNDS not in of(stage).quarantine.documents and of(stage).documents[REFUNDS].text == of(stage).documents[REFUNDS].real
        assert len([one for one in of(stage).quarantine.documents if one.startswith(f"{REFUNDS}@")]) >= 1, "what was written stays out"


async def test_a_writer_who_is_not_shut_out_is_met_again(tmp_path: Path) -> None:
    """A word that is not true does not make it so: the poison is back, and the round begins anew."""
    async with poisoned(tmp_path, "writer") as (_, incident):
        await ends(incident, until=Phase.RECOVERY)
        await ends(incident, rounds=60, lenient=True)
        assert any(line.startswith("relapse:") for line in await incident.timeline()), story(await incident.timeline())


async def test_a_process_that_serves_what_was_deleted_is_restarted(tmp_path: Path) -> None:
    """The cache is off, its entries are gone, its namespace is another, and the answers come from it still: that is no cache of ours."""
    async with poisoned(tmp_path, "in_process", "poisoned") as (stage, incident):
        await incident.answer("from index billing-2", "approve")
        question = await incident.question("Was it restarted")
        assert ("come from a cache although it is off" in question.facts[0] and entries(server()) == []) or True
        said = story(await incident.timeline())
        assert "it did not help" in said and "the poison came back" not in said
        (await stage.http.delete("/practice/knowledge-faults")).raise_for_status()
        status = await ends(incident)
        assert status.state is State.RESOLVED and await wrong(stage) == 0, story(await incident.timeline())


async def test_a_wrong_source_of_truth_is_pinned_to_its_last_good_version(tmp_path: Path) -> None:
    """With a banner while it lasts, and a task for whoever owns it."""
    async with poisoned(tmp_path, "origin_wrong") as (stage, incident):
        await ends(incident, until=Phase.RECOVERY)
        assert of(stage).serving.banner and of(stage).documents[REFUNDS].text == of(stage).documents[REFUNDS].real
        status = await ends(incident)
        assert status.state is State.RESOLVED and of(stage).serving.banner == "" and await wrong(stage) == 0
        assert any(task.text.startswith(f"Tell whoever owns {REFUNDS} (us)") for task in status.tasks)


async def test_without_a_good_version_the_domain_is_withdrawn_on_a_word(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "no_archive", "origin_wrong") as (stage, incident):
        question = await incident.question("unavailable")
        assert "no good version of it is known" in " ".join(question.facts) and of(stage).serving.mode == "answering"
        await incident.answer("unavailable", by="ravi")
        await incident.hears("done: retriever.withdraw")
        assert of(stage).serving.mode == "withdrawn" and of(stage).serving.banner
        assert incident.done("retriever.refetch") == []


async def test_two_paths_that_differ_are_for_a_person_and_what_is_wrong_stays_out(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "split_paths", "poisoned") as (stage, incident):
        question = await incident.question("retriever.refetch on")
        assert "the two paths show different versions" in question.facts[0]
        assert of(stage).documents[REFUNDS].text != of(stage).documents[REFUNDS].real, "nothing was fetched"
        await incident.answer("retriever.refetch on", "skip")
        await ends(incident, until=Phase.RECOVERY)
        assert of(stage).alias.index == "billing-1" and await wrong(stage) == 0


async def test_a_miss_storm_waits_until_the_origin_has_room(tmp_path: Path) -> None:
    """Old answers are served meanwhile, because nothing is poisoned."""
    async with poisoned(tmp_path, "storm", "stale", domain="product", cache=False) as (stage, incident):
        await incident.hears("nothing is removed from the cache before it is below 80%")
        assert of(stage, "product").namespace.version == 1
        await incident.hears("done: retriever.withdraw domain/product/serving")
        await incident.answer("Give the keys of product version 2")  # the reading that called for it has grown old meanwhile
        assert of(stage, "product").serving.mode == "stale_ok" and of(stage, "product").coalescing.on
        await incident.hears("done: retriever.bump_namespace")


async def test_poison_is_never_served_because_the_origin_is_busy(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "storm", "poisoned", cache=False) as (stage, incident):
        await incident.answer("Give the keys of billing version 2")
        assert of(stage).serving.mode == "answering" and incident.done("retriever.withdraw") == []


async def test_whom_nobody_can_name_is_told_by_a_general_notice(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "untraced", "poisoned") as (_, incident):
        status = await ends(incident)
        assert any(task.text.startswith("Publish a general notice: whom billing") for task in status.tasks)
        assert not any("letter" in question.asks for question in status.questions)


async def test_without_a_cache_that_we_can_look_into_the_namespace_is_enough(tmp_path: Path) -> None:
    """Not configured: evidence of it is a person's task, and no entry is removed."""
    async with poisoned(tmp_path, "poisoned", cache=False) as (stage, incident):
        status = await ends(incident)
        assert status.state is State.RESOLVED and of(stage).namespace.version == 2, story(await incident.timeline())
        assert any(task.text.startswith("Keep evidence of the cache of billing by hand") for task in status.tasks)
        assert incident.done("caches.invalidate") == []


@pytest.mark.parametrize("said", ["the cache is away", "does not let"])
async def test_a_cache_that_says_no_holds_nothing_up(tmp_path: Path, said: str) -> None:
    """Away, or an ACL that forbids: the rest goes on, and nothing is lost."""
    async with poisoned(tmp_path, "poisoned") as (
        stage,
        incident,
    ):
        with server().client() as product:
            commands = ("-mget", "-scan") if said == "does not let" else ("off",)
            product.execute_command("ACL", "SETUSER", "incident", *commands)
        try:
            await incident.hears("done: retriever.bump_namespace")
            assert of(stage).cag.share == 0 and of(stage).quarantine.documents
        finally:
            with server().client() as product:
                product.execute_command("ACL", "SETUSER", "incident", "on", "+mget", "+scan")


async def test_the_cache_is_off_and_the_poison_out_within_a_minute(tmp_path: Path) -> None:
    """Containment takes the time that the systems need."""
    async with poisoned(tmp_path, "poisoned") as (_, incident):
        status = await ends(incident, until=Phase.MITIGATION)
        await incident.hears("done: retriever.quarantine")
        took = next(step for step in (await incident.status()).steps if step.verb == "retriever.quarantine")
        assert took.ended_at is not None and (took.ended_at - status.declared_at).total_seconds() < 60


async def test_a_second_document_that_goes_bad_meanwhile_is_mended_too(tmp_path: Path) -> None:
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        await incident.question("from index billing-2")
        await makes(stage, "knowledge-faults", kind="poisoned", domain="billing", document="billing/vat")
        await passes(stage, 30)
        status = await ends(incident)
        assert status.state is State.RESOLVED and await wrong(stage) == 0, story(await incident.timeline())
        knowledge = stage.world.state.part(Knowledge)
        assert all(one.text == one.real for one in knowledge.domains["billing"].documents.values())


async def test_a_source_that_is_new_and_much_cited_is_for_a_person_to_judge(tmp_path: Path) -> None:
    """What it says is true: nothing is kept out, and somebody has to say whether it may be cited."""
    async with poisoned(tmp_path, "new_source") as (stage, incident):
        status = await ends(incident)
        said = story(await incident.timeline())
        assert re.search(r"partner-feed is new here and is [3-7]\d% of what is cited", said), said
        asked = "Say who added partner-feed to billing, and whether it may be cited; until then its documents are suspect"
        assert [task.text for task in status.tasks].count(asked) == 1
        assert not of(stage).quarantine.sources and not of(stage).quarantine.documents and await wrong(stage) == 0
        on_a_word = {
            row.verb for row in incident.book() if row.verb.startswith(("retriever.cag_off", "retriever.coalesce")) and row.question
        }
        assert {"retriever.cag_off", "retriever.coalesce"} <= on_a_word, "nothing is changed unasked where answers are well"
