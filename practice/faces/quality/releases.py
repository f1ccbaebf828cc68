"""What a route's releases are: the triples, what serves, its sticky sessions, its offers, and a publish."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from practice.faces.quality.base import FACE, OF_ROUTE, registry_of, simulation_of
from practice.http.face import Ask, Call, Query, Refusal, Reply, RouteModels, Shown
from practice.http.own_api import problem
from practice.quality.registry import OFFERS, PARTS, said


class Routes(Shown):
    routes: list[str]


class TripleShown(Shown):
    """A release. `blessed_at`: null where nobody blessed it. `blocklisted`: it re-opens a way in for injected instructions."""

    triple: str
    blessed_at: str | None
    blocklisted: bool
    why: str


class Releases(Shown):
    """All releases, oldest first. `serving`: what the registry's aliases say now."""

    serving: str
    releases: list[TripleShown]


class ServedRow(Shown):
    triple: str
    answers: int


class Served(Shown):
    """Who really answered, by the log of the data plane; sticky sessions are in it."""

    seconds: float
    answers: int
    by: list[ServedRow]


class Window(Query):
    window: float = Field(120, gt=0, le=86_400, allow_inf_nan=False)


class Sticky(Shown):
    """Sticky sessions: their generation, the keys for which they were cleared, and the share of the traffic that is still with each old triple."""

    generation: int
    cleared_for: dict[str, int]
    shares: dict[str, float]


class Clear(Ask):
    """End every sticky session. The same key again does nothing."""

    key: str = Field(min_length=1, max_length=300)


class OfferShown(Shown):
    """A model that the route may be answered by. `parity`: its quality against the usual one's; `permitted`: the tenants that allow its provider."""

    model: str
    provider: str
    parity: float
    price_ratio: float
    permitted: list[str]


class Offers(Shown):
    """`snapshots`: dated snapshots that can be pinned, with their provider; `floating`: what a provider's name without a date means."""

    offers: list[OfferShown]
    tenants: list[str]
    snapshots: dict[str, str]
    floating: dict[str, str]


class Publish(Ask):
    """A new version of one part. `probe`: only say whether it would be let through."""

    part: str
    probe: bool = False


class Published(Shown):
    published: bool
    version: int | None


@FACE.reads("routes", "/quality/v1/routes", models=RouteModels(shows=Routes))
def routes(call: Call) -> Reply:
    """The model routes that there are."""
    return Reply({"routes": [call.state.route.alias]})


@FACE.reads("releases", OF_ROUTE + "/releases", models=RouteModels(shows=Releases))
def releases(call: Call) -> Reply:
    """The triples that were released, oldest first."""
    registry, start = registry_of(call), call.world.clock.start
    rows = [
        TripleShown(
            triple=said(one.triple), blocklisted=one.blocklisted, why=one.why,
            blessed_at=None if one.blessed is None else call.world.clock.stamp(start + one.blessed),
        )
        for one in registry.releases
    ]  # fmt: skip
    return Reply(Releases(serving=said(registry.serving), releases=rows).model_dump())


@FACE.reads("served", OF_ROUTE + "/served", models=RouteModels(query=Window, shows=Served))
def served(call: Call) -> Reply:
    """Who answered in the last seconds."""
    registry_of(call)
    window = call.asked(Window).window
    found = Counter(said(one.triple) for one in simulation_of(call).answers.log if one.at > call.now - window)
    rows = [ServedRow(triple=name, answers=n) for name, n in sorted(found.items())]
    return Reply(Served(seconds=window, answers=found.total(), by=rows).model_dump())


@FACE.reads("sticky", OF_ROUTE + "/sticky", models=RouteModels(shows=Sticky))
def sticky(call: Call) -> Reply:
    """The sticky sessions."""
    registry = registry_of(call)
    shares = {said(triple): round(share, 6) for triple, share in registry.sticky.items()}
    return Reply(Sticky(generation=registry.generation, cleared_for=registry.cleared_for, shares=shares).model_dump())


@FACE.writes("sticky.clear", OF_ROUTE + "/sticky/clear", models=RouteModels(asks=Clear, shows=Sticky))
def clear(call: Call) -> Reply:
    """End every sticky session: each begins anew with what serves now."""
    registry, key = registry_of(call), call.ask(Clear).key
    before = registry.generation
    registry.clear(key)
    call.did(f"routes/{call.path['route']}/sticky", before, registry.generation)
    return sticky(call)


@FACE.reads("offers", OF_ROUTE + "/offers", models=RouteModels(shows=Offers))
def offers(call: Call) -> Reply:
    """The models and snapshots that there are."""
    registry, tenants = registry_of(call), call.state.tenants.values()
    rows = [
        OfferShown(
            model=one.model, provider=one.provider, parity=one.parity, price_ratio=one.price_ratio,
            permitted=[t.name for t in tenants if t.region_at(one.provider)],
        )
        for one in OFFERS
    ]  # fmt: skip
    names = [tenant.name for tenant in tenants]
    return Reply(Offers(offers=rows, tenants=names, snapshots=registry.snapshots, floating=registry.floating).model_dump())


@FACE.writes("publish", OF_ROUTE + "/publishes", models=RouteModels(asks=Publish, shows=Published, refuses=(403,)))
def publish(call: Call) -> Reply:
    """Publish a new version of a part, which serves at once."""
    registry, wanted = registry_of(call), call.ask(Publish)
    if wanted.part not in PARTS:
        raise call.invalid(f"there is no part {wanted.part[:40]}; there are {', '.join(PARTS)}")
    if registry.publishing.publishes == "refused":
        raise Refusal(problem(403, "publishing_paused", "publishes are refused"))
    before, number = said(registry.serving), None
    if not wanted.probe:
        by = call.headers.get("x-actor", "ci")
        number = registry.publish(wanted.part, by, call.now - call.world.clock.start)
    call.did(f"routes/{call.path['route']}/publishes", before, said(registry.serving))
    return Reply(Published(published=not wanted.probe, version=number).model_dump())
