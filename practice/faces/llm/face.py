"""`/llm`: the model gateway and ModelSelector of our own product: who serves whom, how it retries, what it saw."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field, model_validator

from practice.faces.llm.answers import answer
from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.world.state import JSON, Breaker, ClientPolicy, Lease, Route, Shares

FACE = Face(
    "llm",
    refused=lambda status, message: Reply({"error": {"code": _code(status), "message": message}}, status),
    invalid=lambda problems: Reply({"error": {"code": "invalid", "message": "; ".join(problems)}}, 422),
    unauthorised=lambda headers: Reply({"error": {"code": "unauthorized", "message": "unknown token"}}, 401),
    throttled=lambda: Reply({"error": {"code": "rate_limited", "message": "slow down"}}, 429),
)


def _code(status: int) -> str:
    return {400: "invalid", 403: "not_permitted", 404: "not_found", 412: "stale_etag", 428: "if_match_required"}.get(
        status, "unavailable" if status >= 500 else "refused"
    )


def _share_sum(weights: Shares) -> Shares:
    if not weights or any(share < 0 or share > 1 for share in weights.values()) or abs(sum(weights.values()) - 1) > 1e-6:
        raise ValueError("shares lie between 0 and 1 and sum to 1")
    return weights


class AskLease(Ask):
    """How long the weights hold without renewal, and what comes back when it lapses."""

    seconds: float = Field(gt=0)
    safe_weights: dict[str, float]

    @model_validator(mode="after")
    def _sums_to_one(self) -> AskLease:
        _share_sum(self.safe_weights)
        return self


class PutWeights(Ask):
    """New weights for some tenants, or for all."""

    epoch: int = Field(ge=0)
    tenants: list[str] | Literal["*"]
    weights: dict[str, float]
    lease: AskLease | None = None

    @model_validator(mode="after")
    def _sums_to_one(self) -> PutWeights:
        _share_sum(self.weights)
        return self


class PutModes(Ask):
    epoch: int = Field(ge=0)
    tenants: list[str]
    mode: Literal["normal", "retrieval_only"]


class Renewal(Ask):
    epoch: int
    seconds: float = Field(gt=0)


class PutBreaker(Ask):
    enabled: bool
    failure_ratio: float = Field(gt=0, le=1)
    min_calls: int = Field(ge=1)
    window_seconds: float = Field(gt=0)


class PutPolicy(Ask):
    max_attempts: int = Field(ge=1, le=10)
    backoff: Literal["none", "exponential_jitter"]
    retry_budget: float = Field(ge=0, le=1)
    breaker: PutBreaker


@FACE.reads("routes.get", "/llm/v1/routes/{alias}")
def get_route(call: Call) -> Reply:
    return _route_reply(call, _route(call))


@FACE.writes("routes.weights", "/llm/v1/routes/{alias}/weights", "PUT")
def put_weights(call: Call) -> Reply:
    """A list of tenants gets overrides; `*` sets the weights and removes every override."""
    route, wanted = _route(call), call.ask(PutWeights)
    if _already_written(call, route, wanted.epoch, {"weights": wanted.model_dump()}):
        return _route_reply(call, route)
    everyone = isinstance(wanted.tenants, str)
    named = list(call.state.tenants) if isinstance(wanted.tenants, str) else wanted.tenants
    _known_tenants(call, named)
    safe = wanted.lease.safe_weights if wanted.lease else {}
    _permitted(call, named, {p for shares in (wanted.weights, safe) for p, share in shares.items() if share > 0})
    before = _visible(route)
    done = list(call.each(named))
    if everyone and len(done) == len(named):
        route.weights, route.overrides = dict(wanted.weights), {}
    else:
        route.overrides.update({tenant: dict(wanted.weights) for tenant in done})
    route.lease = None
    if wanted.lease:
        whom: list[str] | str = "*" if everyone and len(done) == len(named) else done
        route.lease = Lease(call.now + wanted.lease.seconds, dict(wanted.lease.safe_weights), whom)
    _written(route, wanted.epoch, {"weights": wanted.model_dump()}, call.partial)
    call.did(f"routes/{route.alias}/weights", before, _visible(route))
    return _route_reply(call, route)


@FACE.writes("routes.modes", "/llm/v1/routes/{alias}/modes", "PUT")
def put_modes(call: Call) -> Reply:
    route, wanted = _route(call), call.ask(PutModes)
    if _already_written(call, route, wanted.epoch, {"modes": wanted.model_dump()}):
        return _route_reply(call, route)
    _known_tenants(call, wanted.tenants)
    before = _visible(route)
    for tenant in call.each(wanted.tenants):
        if wanted.mode == "normal":
            route.modes.pop(tenant, None)
        else:
            route.modes[tenant] = wanted.mode
    _written(route, wanted.epoch, {"modes": wanted.model_dump()}, call.partial)
    call.did(f"routes/{route.alias}/modes", before, _visible(route))
    return _route_reply(call, route)


@FACE.writes("routes.lease", "/llm/v1/routes/{alias}/lease")
def renew_lease(call: Call) -> Reply:
    """Renew the lease of the route's epoch."""
    route, wanted = _route(call), call.ask(Renewal)
    if wanted.epoch != route.epoch:
        raise _conflict("stale_epoch", f"the route is at epoch {route.epoch}")
    if route.lease is None:
        raise _conflict("no_lease", "the route has no lease: it was never leased, or it has lapsed")
    before = call.world.clock.stamp(route.lease.expires)
    route.lease.expires = call.now + wanted.seconds
    call.did(f"routes/{route.alias}/lease", before, call.world.clock.stamp(route.lease.expires))
    return _route_reply(call, route)


@FACE.reads("client_policy.get", "/llm/v1/client-policy")
def get_policy(call: Call) -> Reply:
    return _policy_reply(call.state.policy)


@FACE.writes("client_policy.put", "/llm/v1/client-policy", "PUT")
def put_policy(call: Call) -> Reply:
    wanted = call.ask(PutPolicy)
    before = call.state.policy
    _matches(call, before.etag)
    content = wanted.model_dump()
    call.state.policy = ClientPolicy(**{**content, "breaker": Breaker(**content["breaker"])})
    call.did("client-policy", asdict(before), asdict(call.state.policy))
    return _policy_reply(call.state.policy)


@FACE.reads("providers", "/llm/v1/providers")
def providers(call: Call) -> Reply:
    return Reply({"providers": [asdict(provider) for provider in call.state.providers.values()]})


@FACE.reads("tenants", "/llm/v1/tenants")
def tenants(call: Call) -> Reply:
    return Reply({"tenants": [asdict(tenant) for tenant in call.state.tenants.values()]})


@FACE.reads("calls", "/llm/v1/calls")
def calls(call: Call) -> Reply:
    """The gateway's log of provider calls over `window` world seconds."""
    _named_route(call)
    window, log = call.seconds("window", 300), call.world.log
    rows = log.calls(call.now, window, call.state.providers)
    running = sum(row["n"] * row["latency_p95_ms"] / 2000 for row in rows) / window
    return Reply(
        {
            "calls": rows,
            "inflight_runs": round(running),
            "breaker": {name: call.world.traffic.breaker(name) for name in call.state.providers},
            "retry_share": log.retry_share(call.now, window),
        }
    )


@FACE.reads("served", "/llm/v1/served")
def served(call: Call) -> Reply:
    """The data plane's log of who was served by whom over `window` world seconds."""
    _named_route(call)
    rows, cost = call.world.log.served(call.now, call.seconds("window", 60))
    return Reply({"tenants": rows, "cost_usd_per_hour": cost})


@FACE.reads("chat.completions", "/llm/v1/chat/completions", "POST")
def chat_completions(call: Call) -> Reply:
    """One answer, OpenAI-shaped, by the provider that the route chooses or that `X-Provider` pins."""
    return answer(call)


def _route(call: Call) -> Route:
    if call.path["alias"] != call.state.route.alias:
        raise call.refuse(404, f"there is no route {call.path['alias']}")
    return call.state.route


def _named_route(call: Call) -> None:
    alias = call.one("route", call.state.route.alias)
    if alias != call.state.route.alias:
        raise call.refuse(404, f"there is no route {alias}")


def _conflict(code: str, message: str) -> Refusal:
    return Refusal(Reply({"error": {"code": code, "message": message}}, 409))


def _already_written(call: Call, route: Route, epoch: int, content: JSON) -> bool:
    """Whether this very write was done before. Raises what keeps it from being done now."""
    if epoch == route.epoch and route.last_write == content:
        call.did(f"routes/{route.alias}/{next(iter(content))}", _visible(route), _visible(route))
        return True
    if epoch < route.epoch:
        raise _conflict("stale_epoch", f"the route is at epoch {route.epoch}")
    _matches(call, route.etag)
    if epoch == route.epoch:
        raise _conflict("stale_epoch", f"epoch {epoch} was used for another write")
    return False


def _matches(call: Call, etag: str) -> None:
    given = call.headers.get("if-match")
    if given is None:
        raise call.refuse(428, "If-Match is required")
    if given.removeprefix("W/").strip('"') != etag:
        raise call.refuse(412, "the etag is stale: read again")


def _known_tenants(call: Call, named: list[str]) -> None:
    unknown = [tenant for tenant in named if tenant not in call.state.tenants]
    if unknown or not named:
        raise call.refuse(422, f"unknown tenants: {', '.join(unknown)}" if unknown else "tenants must not be empty")


def _permitted(call: Call, named: list[str], towards: set[str]) -> None:
    unknown = towards - set(call.state.providers)
    if unknown:
        raise call.refuse(422, f"unknown providers: {', '.join(sorted(unknown))}")
    barred = [t for t in named if any(call.state.tenants[t].region_at(provider) is None for provider in towards)]
    if barred:
        message = f"these tenants do not allow it: {', '.join(barred)}"
        raise Refusal(Reply({"error": {"code": "not_permitted", "message": message, "tenants": barred}}, 403))


def _written(route: Route, epoch: int, content: JSON, partial: bool) -> None:
    """Remember the write, unless it is being broken off half-way: then the same request must be able to finish it."""
    if not partial:
        route.epoch, route.last_write = epoch, content


def _visible(route: Route) -> JSON:
    """What traffic notices of a route: without it, nothing has changed."""
    lease = route.lease and {"safe_weights": dict(route.lease.safe_weights), "tenants": route.lease.tenants}
    overrides = {tenant: dict(shares) for tenant, shares in route.overrides.items()}
    return {"weights": dict(route.weights), "overrides": overrides, "modes": dict(route.modes), "lease": lease}


def _route_reply(call: Call, route: Route) -> Reply:
    lease = route.lease and {
        "expires_at": call.world.clock.stamp(route.lease.expires),
        "safe_weights": route.lease.safe_weights,
    }
    body: dict[str, Any] = {
        "alias": route.alias,
        "etag": route.etag,
        "epoch": route.epoch,
        "weights": route.weights,
        "overrides": route.overrides,
        "modes": route.modes,
        "lease": lease,
    }
    return Reply(body, headers={"ETag": f'"{route.etag}"'})


def _policy_reply(policy: ClientPolicy) -> Reply:
    return Reply({"etag": policy.etag, **asdict(policy)}, headers={"ETag": f'"{policy.etag}"'})
