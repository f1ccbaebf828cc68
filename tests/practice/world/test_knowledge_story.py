"""What answers are made from, told by the world alone: what spoils them, what is cached of it, and what helps."""

from typing import Any

import pytest

from practice.knowledge.library import Domain, Knowledge
from practice.world.stage import Stage
from tests.stores.caches import emptied

WRONG = 'sum(increase(cag_hits_total{domain="%s",judged="wrong"}[5m])) / sum(increase(cag_hits_total{domain="%s"}[5m]))'


def wrong(stage: Stage, domain: str = "billing") -> float:
    return stage.value(WRONG % (domain, domain))


def of(stage: Stage, domain: str = "billing") -> Domain:
    return stage.world.state.part(Knowledge).domains[domain]


async def breaks(stage: Stage, kind: str, domain: str = "billing", seconds: float = 330, **more: Any) -> None:
    await stage.must("POST", "/practice/knowledge-faults", {"kind": kind, "domain": domain, **more})
    stage.forward(seconds)


async def sets(stage: Stage, setting: str, domain: str = "billing", **wanted: Any) -> None:
    path = f"/retriever/v1/domains/{domain}/{setting}"
    now = await stage.must("GET", path)
    await stage.must("PUT", path, {"epoch": now["epoch"] + 1, **wanted}, If_Match=now["etag"])


async def cached(stage: Stage) -> None:
    """Answers are kept in a real Valkey, and most of what can be is there."""
    await stage.must("POST", "/practice/caches", {"address": emptied().address("product")})
    stage.forward(1200)


async def test_a_healthy_world_answers_well_and_counts_as_if_it_were_asked(stage: Stage) -> None:
    stage.forward(600)
    assert wrong(stage) == 0 and stage.value('sum(increase(rag_citation_total{trust="denied"}[5m]))') == 0
    assert stage.value("origin_load_ratio") < 0.5
    assert stage.world.state.part(Knowledge).recent == {}, "nobody looks at single questions while nothing is wrong"


@pytest.mark.parametrize(
    ("kind", "domain", "least"),
    [("poisoned", "billing", 0.15), ("stale", "product", 0.95), ("garbled", "product", 0.4), ("origin_wrong", "billing", 0.15)],
)
async def test_what_is_wrong_spoils_the_answers_of_its_domain_alone(stage: Stage, kind: str, domain: str, least: float) -> None:
    await breaks(stage, kind, domain)
    assert wrong(stage, domain) >= least
    assert all(wrong(stage, other) == 0 for other in ("billing", "product", "contracts") if other != domain)


async def test_poison_is_cached_and_outlives_its_source(stage: Stage) -> None:
    """Mending the document is not enough: the cache has it, until its entries are gone or their namespace is."""
    await cached(stage)
    await breaks(stage, "poisoned")
    document = next(iter(of(stage).documents.values()))
    document.text = of(stage).live.texts[document.id] = document.real
    stage.forward(330)
    assert wrong(stage) > 0.1
    await sets(stage, "namespace", version=2)
    stage.forward(330)
    assert wrong(stage) == 0


async def test_the_wrong_domain_helps_nobody(stage: Stage) -> None:
    await breaks(stage, "poisoned")
    await sets(stage, "namespace", "product", version=2)
    await sets(stage, "cag", "product", share=0.0)
    stage.forward(330)
    assert wrong(stage) > 0.1


async def test_what_is_in_quarantine_is_not_cited(stage: Stage) -> None:
    await breaks(stage, "poisoned")
    await sets(stage, "quarantine", documents=["billing/refunds"], sources=[])
    stage.forward(330)
    assert wrong(stage) == 0 and of(stage).documents["billing/refunds"].text != of(stage).documents["billing/refunds"].real


async def test_a_misfiled_answer_is_another_tenants(stage: Stage) -> None:
    await cached(stage)
    await breaks(stage, "misfiled", "contracts")
    said = await stage.must("GET", "/retriever/v1/domains/contracts/answers")
    foreign = [one for one in said["answers"] if one["made_for"] != one["tenant"]]
    assert foreign and all(one["judged"] == "wrong" and one["from_cache"] for one in foreign)


async def test_a_live_writer_brings_the_poison_back(stage: Stage) -> None:
    await breaks(stage, "writer")
    version = of(stage).documents["billing/refunds"].hash
    await sets(stage, "quarantine", documents=[f"billing/refunds@{version}"], sources=[])
    stage.forward(600)
    assert wrong(stage) > 0.1
    await sets(stage, "quarantine", documents=[], sources=["wiki"])
    stage.forward(330)
    assert not wrong(stage) > 0


async def test_a_process_of_its_own_serves_what_was_deleted(stage: Stage) -> None:
    """Whatever becomes of the cache, its switch and its namespace, until it is started anew."""
    await cached(stage)
    await breaks(stage, "poisoned", seconds=300)
    await breaks(stage, "in_process")
    document = next(iter(of(stage).documents.values()))
    document.text = of(stage).live.texts[document.id] = document.real
    emptied()
    stage.forward(330)
    assert wrong(stage) > 0.1
    await sets(stage, "namespace", version=2)
    await sets(stage, "cag", share=0.0)
    stage.forward(330)
    assert wrong(stage) > 0.1
    await stage.must("DELETE", "/practice/knowledge-faults")
    stage.forward(330)
    assert wrong(stage) == 0


async def test_misses_storm_the_origin_unless_they_are_held_together(stage: Stage) -> None:
    await breaks(stage, "storm")
    await sets(stage, "cag", share=0.0)
    stage.forward(60)
    assert stage.value("origin_load_ratio") > 0.8
    for domain in ("billing", "product", "contracts"):
        await sets(stage, "coalescing", domain, on=True, wait_seconds=5.0)
    stage.forward(60)
    assert stage.value("origin_load_ratio") < 0.8


async def test_a_cache_that_is_away_is_a_miss(stage: Stage) -> None:
    await stage.must("POST", "/practice/caches", {"address": "redis://127.0.0.1:1/0"})
    stage.forward(330)
    assert wrong(stage) == 0


async def test_a_stale_reading_shows_the_setting_before(stage: Stage) -> None:
    await sets(stage, "cag", share=0.0)
    await stage.inject("retriever.cag.get", "stale_read", times=1)
    assert (await stage.must("GET", "/retriever/v1/domains/billing/cag"))["share"] == 1.0
    assert (await stage.must("GET", "/retriever/v1/domains/billing/cag"))["share"] == 0.0
