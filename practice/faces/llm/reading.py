"""What the model gateway only shows: providers, tenants, its logs; and single answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import Field

from practice.faces.llm.answers import Completion, answer
from practice.faces.llm.base import FACE
from practice.http.face import Call, Query, Reply, RouteModels, Shown
from practice.world.state import Provider, Tenant


class Providers(Shown):
    providers: list[Provider]


class Tenants(Shown):
    tenants: list[Tenant]


class Window(Query):
    """The last seconds of a route."""

    route: str | None = None
    window: float = Field(300, gt=0, allow_inf_nan=False)


class ServedWindow(Window):
    window: float = Field(60, gt=0, allow_inf_nan=False)


class CallsRow(Shown):
    """Calls to one provider in one region. Percentiles are of calls that were answered or timed out."""

    provider: str
    model: str
    region: str
    n: int
    by_class: dict[str, int]
    ttft_p95_ms: float
    latency_p95_ms: float
    baseline_ms: float
    timeout_ratio: float


class Calls(Shown):
    """The gateway's log. `breaker`: provider → CLOSED, OPEN or HALF. `retry_share`: second and later tries, of all calls."""

    calls: list[CallsRow]
    inflight_runs: int
    breaker: dict[str, str]
    retry_share: float


class Quality(Shown):
    """Sampled answers, and how many of them passed."""

    n: int
    passed: int = Field(alias="pass")


class ServedRow(Shown):
    """What one tenant got, by provider and by mode."""

    n: int
    ok: int
    by: dict[str, int]
    modes: dict[str, int]
    quality: Quality


class Served(Shown):
    """The data plane's log of who was served by whom."""

    tenants: dict[str, ServedRow]
    cost_usd_per_hour: float


class Choice(Shown):
    index: int
    message: dict[str, Any]
    finish_reason: str


class Answer(Shown):
    """OpenAI's chat completion."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, int]


@FACE.reads("providers", "/llm/v1/providers", models=RouteModels(shows=Providers))
def providers(call: Call) -> Reply:
    """All model providers."""
    return Reply({"providers": [asdict(provider) for provider in call.state.providers.values()]})


@FACE.reads("tenants", "/llm/v1/tenants", models=RouteModels(shows=Tenants))
def tenants(call: Call) -> Reply:
    """All tenants."""
    return Reply({"tenants": [asdict(tenant) for tenant in call.state.tenants.values()]})


@FACE.reads("calls", "/llm/v1/calls", models=RouteModels(query=Window, shows=Calls))
def calls(call: Call) -> Reply:
    """The gateway's log of provider calls over `window` seconds."""
    window, log = _seconds(call, Window), call.world.log
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


@FACE.reads("served", "/llm/v1/served", models=RouteModels(query=ServedWindow, shows=Served))
def served(call: Call) -> Reply:
    """The data plane's log of who was served by whom over `window` seconds."""
    rows, cost = call.world.log.served(call.now, _seconds(call, ServedWindow))
    return Reply({"tenants": rows, "cost_usd_per_hour": cost})


@FACE.reads(
    "chat.completions",
    "/llm/v1/chat/completions",
    "POST",
    models=RouteModels(
        asks=Completion,
        shows=Answer,
        headers={"X-Tenant": True, "X-Provider": False, "X-Vantage": False},
        refuses=(403, 404, 429, 503, 504),
    ),
)
def chat_completions(call: Call) -> Reply:
    """One answer, OpenAI-shaped, by the provider that the route chooses or that `X-Provider` pins."""
    return answer(call)


def _seconds(call: Call, kind: type[Window]) -> float:
    asked = call.asked(kind)
    if asked.route not in (None, call.state.route.alias):
        raise call.refuse(404, f"there is no route {asked.route}")
    return asked.window
