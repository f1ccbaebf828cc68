"""The practice platform without sockets: an httpx transport that calls the application itself.

No machine is too slow for it. An answer that is on its way always arrives; a client runs out of time only where a fault was injected, and
then at once. Four times as fast as a socket on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
from starlette.types import ASGIApp, Message, Scope

from practice.http.app import build
from practice.http.endpoint import SLEEP, TRANSPORT
from practice.world.world import World

HOST = "practice"
BASE_URL = f"http://{HOST}"


class InProcess(httpx.AsyncBaseTransport):
    """Requests to `world`, and to others by their hosts. Nobody else answers. As many clients as you like may share one."""

    def __init__(self, world: World, **others: World) -> None:
        self._apps = {host: build(one) for host, one in {HOST: world, **others}.items()}
        self._serving: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self._apps:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        exchange = _Exchange(request, await request.aread())
        self._serve(exchange.served_by(self._apps[request.url.host]))
        return await exchange.response

    def _serve(self, serving: Coroutine[Any, Any, None]) -> None:
        """In a task of its own: a server works on when its client has given up."""
        task = asyncio.create_task(serving)
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)


class _Exchange:
    """One request and its response. The server sees the connection, to cut it, and the client's time limit, to exceed it."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self.response: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        self._request = request
        self._unread: list[bytes] = [body]
        self._patience: float = request.extensions.get("timeout", {}).get("read") or float("inf")
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._content: list[bytes] = []

    async def served_by(self, app: ASGIApp) -> None:
        """Let the application answer; its own failure is the client's, so that a test sees it."""
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception as broke:
            self._fail(broke)

    def abort(self) -> None:
        """Cut the connection without a byte of reply."""
        self._fail(httpx.RemoteProtocolError("Server disconnected without sending a response.", request=self._request))

    async def sleep(self, seconds: float) -> None:
        """An injected delay. A client with less patience gives up at once; the server goes on, as much later."""
        if seconds >= self._patience:
            self._give_up()
            seconds -= self._patience
        await asyncio.sleep(seconds)

    def _scope(self) -> Scope:
        url = self._request.url
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": self._request.method,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw], "scheme": url.scheme, "path": url.path,
            "raw_path": url.raw_path.split(b"?")[0], "query_string": url.query, "server": (url.host, url.port),
            "client": ("127.0.0.1", 1), "root_path": "", "extensions": {TRANSPORT: self, SLEEP: self.sleep},
        }  # fmt: skip

    async def _receive(self) -> Message:
        """The body. Whoever asks for more waits for the client to go: nothing will be answered."""
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        self._give_up()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], message["headers"]
            return
        self._content.append(message.get("body", b""))
        if not message.get("more_body", False) and not self.response.done():
            self.response.set_result(httpx.Response(self._status, headers=self._headers, content=b"".join(self._content)))

    def _give_up(self) -> None:
        self._fail(httpx.ReadTimeout("", request=self._request))

    def _fail(self, why: Exception) -> None:
        if not self.response.done():
            self.response.set_exception(why)
