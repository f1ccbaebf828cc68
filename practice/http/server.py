"""Serves a world over HTTP in the running event loop, and lets its time pass."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from practice.http.app import build
from practice.http.endpoint import TRANSPORT
from practice.metrics.alerting import Alerting
from practice.metrics.webhook import Webhook
from practice.world.world import World

TICK_SECONDS = 0.05
LAST_MOMENT_SECONDS = 0.3


class _CuttableProtocol(H11Protocol):
    """HTTP/1.1 whose applications can reach the connection, to cut it in the middle of a conversation."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def reaching(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = reaching


@contextlib.asynccontextmanager
async def serve(
    world: World,
    rules: Sequence[Path] = (),
    receiver: str | None = None,
    receiver_token: str = "practice-token",  # noqa: S107 - no secret
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve `world` on loopback until the block ends; yields the base URL. Alerts of `rules` go to `receiver`."""
    async with living(world, rules, receiver, receiver_token):
        listener = _listener(port)
        server = await _started(build(world), listener)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await _stopped(server)


@contextlib.asynccontextmanager
async def living(
    world: World,
    rules: Sequence[Path] = (),
    receiver: str | None = None,
    receiver_token: str = "practice-token",  # noqa: S107 - no secret
) -> AsyncIterator[None]:
    """Let the time of `world` pass until the block ends, and its alerts reach the `receiver`."""
    webhook = Webhook(receiver, receiver_token) if receiver else None
    alerting = Alerting(world, rules, webhook.post if webhook else None)
    tasks = []
    if webhook:
        tasks.append(asyncio.create_task(webhook.deliver_all(), name="practice webhook"))
    if not world.clock.following:
        tasks.append(asyncio.create_task(_let_time_pass(world), name="practice clock"))
    try:
        yield
    finally:
        alerting.stop()
        await _cancelled(tasks)


def _listener(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only then: it costs 40 ms per request.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


async def _started(app: Starlette, listener: socket.socket) -> uvicorn.Server:
    """A uvicorn server in this loop, without the signals and the polling that it brings when it owns the process."""
    config = uvicorn.Config(app, http=_CuttableProtocol, ws="none", lifespan="off", log_level="error", access_log=False, date_header=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    await server.on_tick(0)  # fills in the default headers
    return server


async def _stopped(server: uvicorn.Server) -> None:
    """Close at once; requests that are under way get a moment, those that hang are cut off."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    running = list(server.server_state.tasks)
    if running:
        await asyncio.wait(running, timeout=LAST_MOMENT_SECONDS)
        await _cancelled(running)


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _let_time_pass(world: World) -> None:
    while True:
        world.advance()
        await asyncio.sleep(TICK_SECONDS)
