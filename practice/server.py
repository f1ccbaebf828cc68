"""Serves a world over HTTP in the running event loop, and lets its time pass."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from practice.alerting import Alerting
from practice.app import build
from practice.endpoint import TRANSPORT
from practice.webhook import Webhook
from practice.world import World

TICK_SECONDS = 0.05


class _CuttableProtocol(H11Protocol):
    """HTTP/1.1 whose applications can reach the connection, to cut it in the middle of a conversation."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def reaching(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = reaching


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serve(
    world: World,
    rules: Sequence[Path] = (),
    receiver: str | None = None,
    receiver_token: str = "practice-token",  # noqa: S107 - no secret
    port: int = 0,
) -> AsyncIterator[str]:
    """Serve `world` on loopback until the block ends; yields the base URL. Alerts of `rules` go to `receiver`."""
    webhook = Webhook(receiver, receiver_token) if receiver else None
    alerting = Alerting(world, rules, webhook.post if webhook else None)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        build(world), http=_CuttableProtocol, ws="none", lifespan="off", log_level="error", access_log=False,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    tasks = [asyncio.create_task(server.serve(sockets=[listener]), name="practice server")]
    if webhook:
        tasks.append(asyncio.create_task(webhook.deliver_all(), name="practice webhook"))
    if not world.clock.following:
        tasks.append(asyncio.create_task(_let_time_pass(world), name="practice clock"))
    try:
        while not server.started:
            if tasks[0].done():
                await tasks[0]
                raise RuntimeError("the practice server stopped before it started")
            await asyncio.sleep(0.005)
        yield url
    finally:
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()
        alerting.stop()


async def _let_time_pass(world: World) -> None:
    while True:
        world.advance()
        await asyncio.sleep(TICK_SECONDS)
