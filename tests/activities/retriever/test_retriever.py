"""What answers are made from, on the practice platform: looked at, kept out, fetched by two paths, built beside the one in use."""

from dataclasses import replace
from typing import Any

import pytest

from activities.action import Refused, Risk, action_of
from activities.kit.operation import Operation
from activities.metrics.prometheus import Prometheus
from activities.organisation.numbers import CachePoisoning
from activities.product.app_plane import AppPlane
from activities.retriever.fetch import Refetch, Refetches
from activities.retriever.index import Aliases, BuildIndex, Builds, swap
from activities.retriever.library import AnswersOf, DomainsOf, Libraries, LibraryOf, OriginLoadOf
from activities.retriever.plane import Retriever
from activities.retriever.quarantine import QuarantineOf, Quarantines, quarantine
from practice.knowledge import faults
from practice.knowledge.library import Knowledge
from tests.activities.kit.rows.practised import LandingClock
from tests.activities.kit.stage import Stage, attempt, granted, refused, stage, tried

REFUNDS = "billing/refunds"
NUMBERS = CachePoisoning()


@pytest.fixture
def played() -> Stage:
    return stage()


@pytest.fixture
def plane(played: Stage) -> Retriever:
    return Retriever(played.client("/retriever"))


def breaks(played: Stage, kind: str, domain: str = "billing", rate: float = 0.5) -> None:
    knowledge = played.world.state.part(Knowledge)
    found = knowledge.domains[domain]
    faults.break_(knowledge, kind, found, next(iter(found.documents.values())), rate, 0.0)


def libraries(played: Stage, plane: Retriever) -> Libraries:
    return Libraries(plane, Prometheus(played.client("/prom")))


def operation(kind: type[Operation[Any]], plane: Retriever) -> Any:
    made: Any = kind
    return made(plane, LandingClock())


# -- looking ----------------------------------------------------------------------------------------------------------------------------


async def test_a_library_says_what_each_document_is_by_its_hashes(played: Stage, plane: Retriever) -> None:
    breaks(played, "poisoned")
    breaks(played, "stale", "product")
    looks = libraries(played, plane)
    assert (await looks.domains(DomainsOf(), played.call())).domains == ("billing", "contracts", "product")
    billing = await looks.library(LibraryOf(domain="billing"), played.call())
    poisoned = billing.of(REFUNDS)
    assert poisoned and poisoned.index_hash != poisoned.truth_hash == poisoned.other_path_hash and poisoned.provenance < 0.5
    assert poisoned.index_hash not in poisoned.published and billing.stale == 0
    product = await looks.library(LibraryOf(domain="product"), played.call())
    assert product.stale == 1 and all(one.index_hash in one.published for one in product.documents)
    assert product.last_good[product.documents[0].id] == product.documents[0].index_hash


async def test_answers_are_told_without_a_word_of_them(played: Stage, plane: Retriever) -> None:
    breaks(played, "instructed")
    played.pass_time(120)
    answers = await libraries(played, plane).answers(AnswersOf(domain="billing", limit=30), played.call())
    wrong = answers.wrong
    assert wrong and all(one.instructions and one.denied and one.documents[0].id == REFUNDS for one in wrong)
    assert "Ignore" not in answers.model_dump_json() and answers.correct() == pytest.approx(1 - len(wrong) / 30)


async def test_a_healthy_domain_answers_well_although_nobody_counts(played: Stage, plane: Retriever) -> None:
    answers = await libraries(played, plane).answers(AnswersOf(domain="contracts"), played.call())
    assert answers.answers and answers.correct() == 1
    load = await libraries(played, plane).origin_load(OriginLoadOf(service="chat"), played.call())
    assert load.ratio is not None and load.ratio < 0.8
    assert (await libraries(played, plane).origin_load(OriginLoadOf(service="nobody"), played.call())).ratio is None


async def test_an_unknown_domain_is_refused(played: Stage, plane: Retriever) -> None:
    for name in ("legal", "bill*", "billing?x=1"):
        with pytest.raises(Refused):
            await libraries(played, plane).library(LibraryOf(domain=name), played.call())


# -- keeping out ------------------------------------------------------------------------------------------------------------------------


async def test_one_version_is_kept_out_and_another_is_not(played: Stage, plane: Retriever) -> None:
    """What is fetched anew may be cited; what was poisoned stays out, and is not deleted."""
    breaks(played, "poisoned")
    bad = (await libraries(played, plane).library(LibraryOf(domain="billing"), played.call())).of(REFUNDS)
    assert bad is not None
    system = Quarantines(plane, AppPlane(played.client("/app")), LandingClock())
    order = quarantine("billing", await system.read(Quarantines.look(_of("billing")), played.call()), NUMBERS, documents=[bad.version])
    effect = await attempt(Quarantines.change, system, order, played.call())
    assert "the product itself answers so" in effect.proven_by
    assert action_of(Quarantines.change).risk(order, played.call().limits) is Risk.C1
    domain = played.world.state.part(Knowledge).domains["billing"]
    assert domain.answered_from(domain.documents[REFUNDS]) is None and domain.documents[REFUNDS].text == faults.LIES
    domain.documents[REFUNDS].text = domain.live.texts[REFUNDS] = domain.documents[REFUNDS].real
    assert domain.answered_from(domain.documents[REFUNDS]) == domain.documents[REFUNDS].real


def _of(domain: str) -> QuarantineOf:
    return QuarantineOf(domain=domain)


async def test_what_a_tenant_owns_is_a_persons_decision(played: Stage, plane: Retriever) -> None:
    """By its risk where the order says whose it is; by a refusal where it does not."""
    system = Quarantines(plane, AppPlane(played.client("/app")), LandingClock())
    owner = next(iter(played.world.state.part(Knowledge).domains["contracts"].documents.values())).owner
    document, now = f"contracts/{owner}/terms", await system.read(Quarantines.look(_of("contracts")), played.call())
    hidden = quarantine("contracts", now, NUMBERS, documents=[document])
    assert f"{owner} own" in await refused(lambda: attempt(Quarantines.change, system, hidden, played.call()))
    said = quarantine("contracts", now, NUMBERS, documents=[document], owners=[owner])
    risk = action_of(Quarantines.change).risk
    assert risk(said, played.call().limits) is Risk.C2 and not (await attempt(Quarantines.change, system, said, played.call())).adopted
    many = quarantine("billing", now, NUMBERS, documents=[f"billing/{n}" for n in range(101)])
    assert risk(many, played.call().limits) is Risk.C2


HOSTILE = ("../../etc/passwd", "$(reboot)", "billing/refunds; FLUSHALL", "a\nb", "*")


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_document_that_is_a_path_or_a_command_is_only_a_name(played: Stage, plane: Retriever, name: str) -> None:
    """Known to the retriever it is kept out like any other; unknown to it nothing is changed."""
    system = Quarantines(plane, AppPlane(played.client("/app")), LandingClock())
    now = await system.read(Quarantines.look(_of("billing")), played.call())
    order = quarantine("billing", now, NUMBERS, documents=[name])
    assert "does not have" in await refused(lambda: attempt(Quarantines.change, system, order, played.call()))
    domain = played.world.state.part(Knowledge).domains["billing"]
    assert domain.quarantine.documents == []
    domain.documents[name] = replace(domain.documents[REFUNDS], id=name)
    domain.live.texts[name] = domain.documents[name].text
    await attempt(Quarantines.change, system, order, played.call(key="again"))
    assert domain.quarantine.documents == [name] and domain.answered_from(domain.documents[name]) is None


# -- fetching and building --------------------------------------------------------------------------------------------------------------


async def test_what_both_paths_show_is_fetched_once(played: Stage, plane: Retriever) -> None:
    breaks(played, "poisoned")
    played.inject("retriever.fetches.start", "commit_then_drop", times=1)
    document = played.world.state.part(Knowledge).domains["billing"].documents[REFUNDS]
    order = Refetch(domain="billing", documents=(REFUNDS,), pins={})
    effect, _ = await tried(Refetches.run, operation(Refetches, plane), order, played.call())
    assert "both paths" in effect.proven_by and document.text == document.real
    assert len(played.effects("retriever.fetches")) == 1


@pytest.mark.parametrize(
    ("broken", "pins", "says"),
    [("split_paths", {}, "two paths show different versions"), ("poisoned", {REFUNDS: "0" * 16}, "does not show the pinned version")],
)
async def test_paths_that_differ_and_pins_that_do_not_hold_are_for_a_person(
    played: Stage, plane: Retriever, broken: str, pins: dict[str, str], says: str
) -> None:
    breaks(played, broken)
    document = played.world.state.part(Knowledge).domains["billing"].documents[REFUNDS]
    before, order = document.text, Refetch(domain="billing", documents=(REFUNDS,), pins=pins)
    assert says in await refused(lambda: tried(Refetches.run, operation(Refetches, plane), order, played.call()))
    assert document.text == before


async def test_an_index_is_used_only_when_it_has_answered_the_golden_queries(played: Stage, plane: Retriever) -> None:
    breaks(played, "poisoned")
    order, builds = BuildIndex(domain="billing"), operation(Builds, plane)
    said = await refused(lambda: tried(Builds.run, builds, order, played.call(key="poisoned")))
    assert "golden queries" in said and "98% are wanted" in said
    await tried(Refetches.run, operation(Refetches, plane), Refetch(domain="billing", documents=(REFUNDS,), pins={}), played.call(key="f"))
    effect, _ = await tried(Builds.run, builds, order, played.call(key="mended"))
    domain = played.world.state.part(Knowledge).domains["billing"]
    assert domain.alias.index == "billing-1" and effect.after["golden"] == 1
    system = Aliases(plane, AppPlane(played.client("/app")), LandingClock())
    good, unasked = swap("billing", effect.after, NUMBERS), swap("billing", {"index": "billing-2"}, NUMBERS)
    assert "not answered 98%" in await refused(lambda: attempt(Aliases.change, system, unasked, played.call()))
    await attempt(Aliases.change, system, good.given(await system.read(good.look(), played.call())), played.call())
    assert domain.alias.index == effect.after["index"] and "billing-1" in domain.builds
    assert domain.answered_from(domain.documents[REFUNDS]) == domain.documents[REFUNDS].real


async def test_an_index_that_is_gone_or_a_golden_ratio_of_nothing_is_no_index(played: Stage, plane: Retriever) -> None:
    system = Aliases(plane, AppPlane(played.client("/app")), LandingClock())
    order = swap("billing", {"index": "billing-99", "golden": 1.0}, NUMBERS)
    assert "has no build" in await refused(lambda: attempt(Aliases.change, system, order, played.call()))
    nothing = swap("billing", {"index": "billing-1", "golden": float("nan")}, NUMBERS)
    with pytest.raises(Refused):
        await system.check(granted(Aliases.change, nothing, played.call()), nothing, nothing.wanted)
