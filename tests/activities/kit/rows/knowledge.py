"""The rows of the retriever's settings."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from activities.product.app_plane import AppPlane
from activities.retriever.fallback import CachedAnswers, CachedAnswerSettings, CachedAnswersOf
from activities.retriever.index import Alias, Aliases, AliasOf
from activities.retriever.plane import Retriever
from activities.retriever.quarantine import Quarantine, QuarantineOf, Quarantines
from activities.retriever.serving import (
    Cag,
    CagOf,
    CagShares,
    Coalescing,
    CoalescingOf,
    Coalescings,
    Freshness,
    Freshnesses,
    FreshnessOf,
    Namespace,
    NamespaceOf,
    Namespaces,
    Serving,
    ServingOf,
    Servings,
)
from practice.knowledge.library import Build, Knowledge
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage

BILLING = "billing"


def made(kind: Callable[[Retriever, AppPlane, LandingClock], Any]) -> Callable[[Stage, LandingClock], Any]:
    return lambda played, clock: kind(Retriever(played.client("/retriever")), AppPlane(played.client("/app")), clock)


def aliases(played: Stage, clock: LandingClock) -> Aliases:
    """With two indexes beside the one in use."""
    domain = played.world.state.part(Knowledge).domains[BILLING]
    domain.builds |= {name: Build(name, 0.0, dict(domain.live.texts)) for name in ("billing-2", "billing-3")}
    return Aliases(Retriever(played.client("/retriever")), AppPlane(played.client("/app")), clock)


def cached_answers(played: Stage, clock: LandingClock) -> CachedAnswerSettings:
    return CachedAnswerSettings(Retriever(played.client("/retriever")), AppPlane(played.client("/app")))


def cag(share: float) -> Cag:
    return Cag(share=share, canary=(0.25, 1.0), watched=timedelta(minutes=1))


KNOWLEDGE = {
    "cache of answers": Practised(made(CagShares), CagOf(domain=BILLING), cag(0.0), cag(0.5), "retriever.cag.put"),
    "namespace of a cache": Practised(
        made(Namespaces), NamespaceOf(domain=BILLING), Namespace(version=2), Namespace(version=9), "retriever.namespace.put"
    ),
    "request coalescing": Practised(
        made(Coalescings), CoalescingOf(domain=BILLING), Coalescing(on=True), Coalescing(on=True, wait_seconds=2), "retriever.coalescing.put"
    ),
    "how a domain is served": Practised(
        made(Servings), ServingOf(domain=BILLING), Serving(mode="withdrawn", banner="we look into it"), Serving(banner="hello"),
        "retriever.serving.put",
    ),
    "freshness": Practised(
        made(Freshnesses), FreshnessOf(domain=BILLING), Freshness(max_age_seconds=60, as_of=True), Freshness(max_age_seconds=90, as_of=False),
        "retriever.freshness.put",
    ),
    "quarantine": Practised(
        made(Quarantines), QuarantineOf(domain=BILLING), Quarantine(documents=("billing/refunds",), sources=("wiki",)),
        Quarantine(documents=("billing/vat",)), "retriever.quarantine.put",
    ),
    "index in use": Practised(
        aliases, AliasOf(domain=BILLING), Alias(index="billing-2", golden=1.0), Alias(index="billing-3", golden=1.0), "retriever.alias.put"
    ),
    "cached answers of a route": Practised(
        cached_answers, CachedAnswersOf(route="chat"), CachedAnswers(on=True, max_age_seconds=3600),
        CachedAnswers(on=True, max_age_seconds=60), "retriever.cached_answers.put",
    ),
}  # fmt: skip
