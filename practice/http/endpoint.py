"""The one mechanism that runs every call: time, injected faults, credentials, handler, effect log. No route can be forgotten by it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from practice.http.face import Call, Face, FaceRoute, Refusal, Reply
from practice.world.clock import from_rfc3339
from practice.world.injected_faults import InjectedFault
from practice.world.world import Kept, World

TRANSPORT = "practice.transport"
"""Where the server puts the connection, so that it can be cut."""
SLEEP = "practice.sleep"
"""Where a server without sockets puts its own way to let an injected delay pass."""
STALE_SECONDS = 60.0
INCIDENT = "inc-"  # only an incident hastens the world: a freeze and what else outlives it keep the pace at which they began
ANY_FACE = "*"
AS_IT_IS = ("multipart/related", "application/octet-stream", "application/xml")
"""Bodies that faces read themselves."""
EXACT = 2**53
"""Above it not every integer is a float."""


class Endpoint:
    """One route of one face, as an ASGI application."""

    def __init__(self, face: Face, route: FaceRoute, world: World) -> None:
        self.face = face
        self.route = route
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        fault = None if self.face.control else self.world.injected_faults.take(self.route.name)
        if fault and fault.mode == "latency":
            await scope.get("extensions", {}).get(SLEEP, asyncio.sleep)(fault.seconds)
        if fault and fault.mode == "hang":
            self._log(request, fault, None)
            await _until_gone(receive)
            return
        reply = self._reply(request, raw, fault)
        self._log(request, fault, reply)
        if fault and fault.mode == "commit_then_drop":
            await _cut(scope, receive)
            return
        await _response(reply)(scope, receive, send)

    def _reply(self, request: Request, raw: bytes, fault: InjectedFault | None) -> Reply:
        """Everything between request and reply happens in one go: no other call sees a half-done one."""
        headers = request.headers
        with contextlib.suppress(ValueError):
            if "x-workflow-time" in headers:
                at = from_rfc3339(headers["x-workflow-time"])
                self.world.clock.show(at)
                if "x-pace" in headers and headers.get("x-incident-id", "").startswith(INCIDENT):
                    self.world.clock.go(float(headers["x-pace"]), said_at=at)
        self.world.advance()
        if fault and fault.mode == "fail":
            return self.face.refused(fault.status, "injected failure")
        if fault and fault.mode == "throttle":
            reply = self.face.throttled()
            reply.headers["Retry-After"] = str(fault.retry_after)
            return reply
        try:
            if not self.route.public and not self.face.authorised(headers):
                return self.face.unauthorised(headers)
            call = self._call(request, raw)
            return self._write(call, fault) if self.route.writes else self._read(call, fault)
        except Refusal as refusal:
            return refusal.reply

    def _call(self, request: Request, raw: bytes) -> Call:
        query = parse_qs(request.url.query, keep_blank_values=True)
        body: Any = None
        if raw and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = parse_qs(raw.decode(), keep_blank_values=True)
            query = {**query, **form}
        elif raw and request.headers.get("content-type", "").startswith(AS_IT_IS):
            body = raw
        elif raw:
            try:
                body = json.loads(raw, parse_float=_number, parse_constant=_no_number)
            except ValueError:
                raise Refusal(self.face.refused(400, "the body is not JSON")) from None
        world = self.world
        return Call(self.face, self.route, world, world.state, world.clock.now(), request.headers, request.path_params, query, body)

    def _read(self, call: Call, fault: InjectedFault | None) -> Reply:
        if fault and fault.mode == "stale_read":
            kept, at = self._before(call)
            call.state = call.state if kept is None else self.world.kept(kept)
            call.now = at
        reply = self.route.handler(call)
        return self.face.refused(500, "injected partial failure") if fault and fault.mode == "partial" else reply

    def _before(self, call: Call) -> tuple[Kept | None, float]:
        """The state before this face's last change; a face that changes nothing itself looks at everyone's."""
        own = any(route.writes for route in self.face.routes)
        return self.world.before.get(self.face.name if own else ANY_FACE) or (None, call.now - STALE_SECONDS)

    def _write(self, call: Call, fault: InjectedFault | None) -> Reply:
        """Run a write; a refused one leaves nothing behind, an undone one (`nothing_changed`) neither."""
        world, mode = self.world, fault.mode if fault else ""
        kept, at = world.keep(), call.now
        call.partial = mode == "partial"
        try:
            reply = self.route.handler(call)
        except BaseException:
            world.state = world.kept(kept)
            raise
        if call.effect is None:
            raise AssertionError(f"{self.route.name} wrote without saying what it did")
        if mode == "nothing_changed":
            world.state = world.kept(kept)
            return reply
        target, before, after = call.effect
        if not self.face.control:  # the effect log is about what the product's tools did, not about who runs the drill
            world.note_effect(self.route.name, target, call.headers, before, after, asked=call.body)
            if before != after:
                world.before[self.face.name] = world.before[ANY_FACE] = (kept, at)
        return self.face.refused(500, "injected partial failure") if call.partial else reply

    def _log(self, request: Request, fault: InjectedFault | None, reply: Reply | None) -> None:
        if self.face.control:
            return
        headers: Mapping[str, str] = request.headers
        self.world.requests.append(
            {
                "at": self.world.clock.stamp(self.world.clock.now()),
                "route": self.route.name,
                "method": request.method,
                "path": request.url.path,
                "status": reply.status if reply and (fault is None or fault.mode != "commit_then_drop") else None,
                "injected_fault": fault.mode if fault else None,
                "key": headers.get("idempotency-key"),
                "incident": headers.get("x-incident-id"),
                "tenant": headers.get("x-tenant"),
                "vantage": headers.get("x-vantage"),
            }
        )


def _number(text: str) -> float:
    """JSON knows one kind of number: 205.0 is as good an integer as 205."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _response(reply: Reply) -> Response:
    if reply.stream is not None:
        return StreamingResponse(reply.stream, reply.status, reply.headers, "application/json")
    if reply.content is not None:
        return Response(reply.content, reply.status, reply.headers)
    if reply.text is not None:
        return PlainTextResponse(reply.text, reply.status, reply.headers)
    if reply.body is None:
        return Response(b"", reply.status, reply.headers)
    return JSONResponse(reply.body, reply.status, reply.headers)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the TCP connection without a byte of reply."""
    transport = scope.get("extensions", {}).get(TRANSPORT)
    if transport is None:
        raise ConnectionResetError("injected: the connection was dropped after the work was done")
    transport.abort()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    """Wait until the client has gone: a server that returns earlier would answer with a 500."""
    while (await receive())["type"] != "http.disconnect":
        pass
