"""§2.11, told as stories: from poison to the cache's return, and the ways to be wrong told apart. The other stories are in `cache_poisoning/`."""

import gzip
import json
from pathlib import Path

from practice.knowledge import faults
from tests.playbooks.cache_poisoning.poisoned import NO_LETTER, ends, entries, of, of_settings, poisoned, wrong
from tests.stage.outages import story
from tests.stores.caches import server
from workflows.incident import Phase, Severity, State

FOLLOW_UPS = [
    "Add drift detectors: compare answers with their sources, and cached answers with fresh ones",
    "Set expiration policies for cached answers, domain by domain",
    "Score provenance in the retriever, and refuse what nobody vouches for",
    "Watch answers against the source of truth (a probe that asks what has changed there)",
]


async def test_a_poisoned_source_is_kept_out_fetched_anew_and_the_cache_comes_back(tmp_path: Path) -> None:
    """Sample, disable, quarantine, invalidate, refetch, verify, enable: in this order, each once, and nothing else was touched."""
    async with poisoned(tmp_path, "poisoned") as (stage, incident):
        before = {name: of_settings(of(stage, name)) for name in ("product", "contracts")}
        status = await ends(incident)
        assert status.state is State.RESOLVED, story(await incident.timeline())
        assert status.phases == (Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT)
        domain = of(stage)
        assert (domain.cag.share, domain.namespace.version, domain.alias.index) == (1.0, 2, "billing-2") and "billing-1" in domain.builds
        assert not domain.coalescing.on and not domain.freshness.as_of and await wrong(stage) == 0
        assert (
            not any("900 days" in one for one in entries(server()))
            and domain.documents["billing/refunds"].text == domain.documents["billing/refunds"].real
        )
        assert {name: of_settings(of(stage, name)) for name in before} == before, "no other domain was touched"
        assert [(one.name, one.held_by) for one in status.in_force] == [("quarantined", "sam")]
        done = [row.verb for row in incident.book() if row.outcome == "done"]
        order = ("evidence.cache", "retriever.cag_off", "retriever.quarantine", "retriever.bump_namespace", "caches.invalidate", "retriever.refetch",
                 "retriever.build_index", "retriever.swap_index", "retriever.cag_on")  # fmt: skip
        assert [done.index(verb) for verb in order] == sorted(done.index(verb) for verb in order), done
        keys = [e["key"] for e in await stage.effects() if e["changed"] and e["face"] == "retriever"]
        assert len(keys) == len(set(keys)) and stage.fleet.ledger.verify(incident.id).intact
        assert [task.text for task in status.follow_ups] == FOLLOW_UPS


async def test_nothing_is_removed_before_it_is_kept_and_no_word_of_it_leaves_the_store(tmp_path: Path) -> None:
    """INV-1 and INV-14: the poison is in the evidence, and neither in the history nor in the timeline."""
    async with poisoned(tmp_path, "instructed") as (_, incident):
        await ends(incident, until=Phase.RECOVERY)
        verbs = [row.verb for row in incident.book()]
        assert max(verbs.index("evidence.cache"), verbs.index("evidence.knowledge")) < verbs.index("caches.invalidate")
        files = [path.read_bytes() for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
        kept = [gzip.decompress(raw).decode() for raw in files if raw.startswith(b"\x1f\x8b")]
        assert any("Ignore all previous" in text for text in kept)
        history = json.dumps((await incident.handle.fetch_history()).to_json())
        assert "Ignore all" not in history and "collect.example.net" not in history and faults.LIES not in history
        assert "§2.3 Prompt injection" in story(await incident.timeline())


async def test_stale_sources_are_fetched_and_nothing_is_kept_out(tmp_path: Path) -> None:
    """Old is not poisoned: what was published before may be cited until the new is there; whoever owns the sync mends it."""
    async with poisoned(tmp_path, "stale", domain="product") as (stage, incident):
        status = await ends(incident)
        assert status.state is State.RESOLVED and await wrong(stage, "product") == 0, story(await incident.timeline())
        domain = of(stage, "product")
        assert domain.quarantine.documents == [] and domain.alias.index == "product-2"
        assert any(task.text.startswith("Mend the sync of source docs-site") for task in status.tasks)
        assert "product: stale;" in story(await incident.timeline()) and status.in_force == []


async def test_another_tenants_answer_calls_isolation_in_and_nobody_is_written_to(tmp_path: Path) -> None:
    """Mis-keyed across tenants: every entry of the domain goes, SEV-1, and the cache comes back only when its keys are right."""
    async with poisoned(tmp_path, "misfiled", domain="contracts") as (stage, incident):
        by_hand = {
            "Is everything denied by which data": "decline"
        }  # nobody has said what of the chat holds tenants' data: people look at it
        status = await ends(incident, by_hand, until=Phase.RECOVERY)
        assert status.severity is Severity.SEV1 and "called in: §2.5 Multi-tenant isolation failure" in story(await incident.timeline())
        assert entries(server(), "contracts") == [] and await wrong(stage, "contracts") < 0.05
        for _ in range(20):
            await ends(incident, {"cag_on on": "", **by_hand}, rounds=20, lenient=True)
            if taken_back := any("step 1 of" in line and "taken back" in line for line in await incident.timeline()):
                break
        assert taken_back, story(await incident.timeline())
        assert of(stage, "contracts").cag.share == 0, "the keys are wrong still: what came back was taken back"
        (await stage.http.delete("/practice/knowledge-faults")).raise_for_status()
        ended = await ends(incident, by_hand)
        assert ended.state is State.RESOLVED and of(stage, "contracts").cag.share == 1.0, story(await incident.timeline())
        assert not incident.done("mail.send") and not any("correction" in q.asks for q in ended.questions)


async def test_answers_that_do_not_say_what_they_cite_are_not_groundings_fault(tmp_path: Path) -> None:
    """Synthesis: §2.7 is called in, the cache stays off, nothing is quarantined or fetched; what was cached meanwhile is not found again."""
    async with poisoned(tmp_path, "garbled", domain="product") as (stage, incident):
        await incident.hears("§2.7 model drift")
        await incident.hears("done: retriever.cag_off")
        assert of(stage, "product").quarantine.documents == [] and not incident.done("retriever.refetch")
        (await stage.http.delete("/practice/knowledge-faults")).raise_for_status()
        status = await ends(incident)
        assert status.state is State.RESOLVED and await wrong(stage, "product") == 0, story(await incident.timeline())
        assert of(stage, "product").namespace.version == 2 and not incident.done("retriever.quarantine")


async def test_an_alert_that_names_the_wrong_domain_changes_nothing_there(tmp_path: Path) -> None:
    """The symptom stays where it is: that is said, and gone on with where it is."""
    async with poisoned(tmp_path, "poisoned", labels={"domain": "product"}) as (stage, incident):
        untouched = of_settings(of(stage, "product"))
        status = await ends(incident)
        assert "nothing is wrong with product: the symptom is in billing" in story(await incident.timeline())
        assert status.state is State.RESOLVED and of_settings(of(stage, "product")) == untouched and await wrong(stage) == 0


async def test_a_domain_that_nobody_knows_is_found_by_the_curve(tmp_path: Path) -> None:
    for label in ("bill*", "../../etc/passwd", ""):
        async with poisoned(tmp_path / (label.replace("/", "") or "none"), "poisoned", labels={"domain": label}) as (stage, incident):
            await incident.hears("done: retriever.quarantine domain/billing/quarantine")
            assert of(stage).quarantine.documents and NO_LETTER
