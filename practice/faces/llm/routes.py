"""The model route as a resource: its weights, modes and lease; and the client policy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from practice.faces.llm.base import FACE, route_of
from practice.http.face import Ask, Call, Refusal, Reply, RouteModels, Shown
from practice.http.own_api import conflict, problem
from practice.http.resource import Resource, held
from practice.world.state import JSON, ClientPolicy, Lease

Mode = Literal["normal", "retrieval_only"]


def _sums_to_one(shares: dict[str, float]) -> dict[str, float]:
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError("shares sum to 1")
    return shares


Shares = Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1), AfterValidator(_sums_to_one)]
"""Provider → its share."""


class LeaseTerms(Ask):
    """How long the weights hold without renewal, and what comes back when it lapses."""

    seconds: float = Field(gt=0)
    safe_weights: Shares


class RouteWeights(Ask):
    """New weights for some tenants (`*`: for all of them). Without a lease an existing one ends."""

    tenants: Annotated[list[str], Field(min_length=1)] | Literal["*"]
    weights: Shares
    lease: LeaseTerms | None = None


class RouteModes(Ask):
    """How some tenants are answered: by a model, or from the knowledge base only."""

    tenants: list[str] = Field(min_length=1)
    mode: Mode


class Renewal(Ask):
    """Renews the lease that was made under `epoch`."""

    epoch: int = Field(ge=0)
    seconds: float = Field(gt=0)


class LeaseShown(Shown):
    expires_at: str
    safe_weights: dict[str, float]
    tenants: list[str] | Literal["*"]


class RouteShown(Shown):
    """Who serves whom: shares by provider, exceptions by tenant, and how tenants are answered where that is not `normal`."""

    alias: str
    weights: dict[str, float]
    overrides: dict[str, dict[str, float]]
    modes: dict[str, str]
    lease: LeaseShown | None

    def settable(self) -> JSON:
        """What traffic notices of it."""
        return self.model_dump(mode="json", exclude={"alias": True, "lease": {"expires_at"}})


def _shown(call: Call) -> RouteShown:
    route, lease = route_of(call), route_of(call).lease
    terms: Any = lease and LeaseShown(
        expires_at=call.world.clock.stamp(lease.expires),
        safe_weights=lease.safe_weights,
        tenants=lease.tenants,
    )
    return RouteShown(alias=route.alias, weights=route.weights, overrides=route.overrides, modes=route.modes, lease=terms)


def _weigh(call: Call, wanted: RouteWeights) -> None:
    """A list of tenants gets overrides; `*` sets the weights and removes every override."""
    route, everyone = route_of(call), isinstance(wanted.tenants, str)
    named = list(call.state.tenants) if isinstance(wanted.tenants, str) else wanted.tenants
    _known(call, named)
    safe = wanted.lease.safe_weights if wanted.lease else {}
    _permitted(call, named, {p for shares in (wanted.weights, safe) for p, share in shares.items() if share > 0})
    done = list(call.each(named))
    whole = everyone and not call.cut_short
    if whole:
        route.weights, route.overrides = dict(wanted.weights), {}
    else:
        route.overrides.update({tenant: dict(wanted.weights) for tenant in done})
    route.lease = None
    if wanted.lease:
        route.lease = Lease(call.now + wanted.lease.seconds, dict(safe), "*" if whole else done)


def _switch(call: Call, wanted: RouteModes) -> None:
    """Change how some tenants are answered."""
    route = route_of(call)
    _known(call, wanted.tenants)
    for tenant in call.each(wanted.tenants):
        if wanted.mode == "normal":
            route.modes.pop(tenant, None)
        else:
            route.modes[tenant] = wanted.mode


ROUTE = Resource(FACE, "routes", "/llm/v1/routes/{alias}", RouteShown, _shown)
ROUTE.takes(RouteWeights, _weigh, "weights", "/weights").takes(RouteModes, _switch, "modes", "/modes")
held(FACE, "client_policy", "/llm/v1/client-policy", ClientPolicy, lambda call: call.state, "policy", epochs=False)


@FACE.writes("routes.lease", "/llm/v1/routes/{alias}/lease", models=RouteModels(asks=Renewal, shows=ROUTE.shown, refuses=(409,)))
def renew_lease(call: Call) -> Reply:
    """Renew the lease of the route's epoch."""
    route, wanted, epoch = route_of(call), call.ask(Renewal), ROUTE.version(call).epoch
    if wanted.epoch != epoch:
        raise conflict("stale_epoch", f"the route is at epoch {epoch}")
    if route.lease is None:
        raise conflict("no_lease", "the route has no lease: it was never leased, or it has lapsed")
    before, route.lease.expires = route.lease.expires, call.now + wanted.seconds
    stamp = call.world.clock.stamp
    call.did(f"routes/{route.alias}/lease", stamp(before), stamp(route.lease.expires))
    return ROUTE.reply(call)


def _known(call: Call, named: list[str]) -> None:
    unknown = [tenant for tenant in named if tenant not in call.state.tenants]
    if unknown:
        raise call.invalid(f"unknown tenants: {', '.join(unknown)}")


def _permitted(call: Call, named: list[str], towards: set[str]) -> None:
    unknown = towards - set(call.state.providers)
    if unknown:
        raise call.invalid(f"unknown providers: {', '.join(sorted(unknown))}")
    barred = [t for t in named if any(call.state.tenants[t].region_at(provider) is None for provider in towards)]
    if barred:
        raise Refusal(problem(403, "not_permitted", f"these tenants do not allow it: {', '.join(barred)}", tenants=barred))
