"""A world with time in hand: what a test or a rehearsal holds."""

from __future__ import annotations

import contextlib
import pickle
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from practice.http.face import TOKEN
from practice.http.in_process import BASE_URL, InProcess
from practice.http.server import living, serve
from practice.metrics.promql import compiled
from practice.world.state import JSON
from practice.world.world import HISTORY_SECONDS, World

CREDENTIALS = {
    "/unleash": TOKEN,
    "/langfuse": f"Basic {TOKEN}",
    "/statuspage": f"OAuth {TOKEN}",
    "/pagerduty": f"Token token={TOKEN}",
    "/patroni": "Basic " + b64encode(f"incident:{TOKEN}".encode()).decode(),
    "/s3": "AWS4-HMAC-SHA256 Credential=practice/20261129/us-east-1/s3/aws4_request",
}
"""The `Authorization` header by face; all others take a bearer token."""


class Stage:
    """A world, its base URL, and a client with the right credentials for every face."""

    def __init__(self, world: World, url: str, http: httpx.AsyncClient) -> None:
        self.world = world
        self.url = url
        self.http = http

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """One request; header names are written with underscores. A body of bytes goes as it is."""
        face = next((prefix for prefix in CREDENTIALS if path.startswith(prefix)), "")
        sent = {"Authorization": CREDENTIALS.get(face, f"Bearer {TOKEN}"), "From": "dana@example.com"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"content": json} if isinstance(json, bytes) else {"json": json}
        return await self.http.request(method, path, headers=sent, **body)

    async def must(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """As `call`, and the JSON of an answer that must be a success."""
        answer = await self.call(method, path, json, **headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def forward(self, seconds: float) -> None:
        self.world.clock.show(self.world.clock.now() + seconds)
        self.world.advance()

    def value(self, query: str) -> float:
        """The one value of a PromQL query now; NaN when there is none."""
        vector = compiled(query).vector(self.world.metrics, self.world.clock.now())
        return vector[0][1] if len(vector) == 1 else float("nan")

    async def break_provider(self, provider: str, kind: str, rate: float = 0.6, **more: Any) -> None:
        await self.must("POST", "/practice/provider-faults", {"provider": provider, "kind": kind, "rate": rate, **more})

    async def inject(self, route: str, mode: str, times: int | None = None, **more: Any) -> None:
        await self.must("POST", "/practice/injected-faults", {"route": route, "mode": mode, "times": times, **more})

    def effects(self, route: str = "") -> list[JSON]:
        return [entry for entry in self.world.effects.entries if not route or entry["route"] == route]

    def tenants(self, *tiers: str) -> list[str]:
        """Names of the tenants of these tiers; of all without any."""
        return [t.name for t in self.world.state.tenants.values() if not tiers or t.tier in tiers]


@cache
def _born(history: float) -> bytes:
    return pickle.dumps(World(following=True, history=history))


def young(history: float = 120.0) -> World:
    """A following world with so many seconds of past. The first one is lived through, the others are copies of it."""
    return pickle.loads(_born(history))  # type: ignore[no-any-return]  # noqa: S301 - our own bytes


@contextlib.asynccontextmanager
async def staged(world: World | None = None, rules: Sequence[Path] = (), receiver: str | None = None) -> AsyncIterator[Stage]:
    """Let a world (by default a young one) live and answer, without sockets, for as long as the block lasts."""
    world = world or young(HISTORY_SECONDS)
    async with living(world, rules, receiver), httpx.AsyncClient(base_url=BASE_URL, transport=InProcess(world)) as http:
        yield Stage(world, BASE_URL, http)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Stage]:
    """The same over sockets: for answers that come in parts, and for other programs."""
    world = young(HISTORY_SECONDS)
    # Loopback without TLS: reading the certificate store would cost more than the whole world.
    async with serve(world) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:  # noqa: S501
        yield Stage(world, url, http)
