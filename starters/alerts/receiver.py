"""The alert receiver: webhooks in, incidents out.

Every body is kept before it is read: word for word, but for the secrets and addresses in it. What can be read opens or joins its incident.
What cannot be read joins one `triage` incident per source and half hour, which pages once and changes nothing until a person decides. Nothing
is dropped: if the Temporal server is away, the sender is asked to try again.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.ledger.inbox import AlertRecord, Delivery
from activities.ledger.ledger import Ledger
from activities.paging.pager import Pager
from starters.alerts import alertmanager
from starters.alerts.cases import Unreadable, cases_of, several
from starters.alerts.intake import Intake
from starters.alerts.reconciler import Reconciler
from starters.errors import CliError
from worker.credentials import NoCredential, resolve
from worker.settings import Settings
from worker.wiring import wire_pager

log = logging.getLogger(__name__)

LONGEST_BODY = 1 << 20  # bytes
READ_WITHIN = 10.0  # seconds for a sender to finish its body


class Receiver:
    """The HTTP side. Every answer is one sentence that says what became of the delivery."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.intake = Intake(settings, ledger)
        self.token = resolve(settings.alert_token, "INCIDENT_ALERT_TOKEN")

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/alerts/alertmanager", self.alertmanager, methods=["POST"]),
                Route("/healthz", self.healthz, methods=["GET"]),
            ]
        )

    async def healthz(self, request: Request) -> Response:
        """Alive, and whether the Temporal server answers."""
        try:
            client = await asyncio.wait_for(self.intake.connected(), 1)
            reached = await client.service_client.check_health(timeout=timedelta(seconds=1))
        except Exception:
            reached = False
        return JSONResponse({"ok": True, "temporal": reached})

    async def alertmanager(self, request: Request) -> Response:
        if self.token and not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self.token}".encode()):
            return _told(401, "this receiver needs its bearer token: set http_config.authorization in Alertmanager")
        raw, truncated = await _body(request)
        delivery = _delivery(alertmanager.SOURCE, raw, truncated)
        try:
            return await self._take_in(delivery)
        except CliError as trouble:
            log.warning("delivery %s is kept and waits: %s", delivery.id, trouble.sentence)
            return _told(503, f"kept, not yet delivered: {trouble.sentence}", delivery.id, again=True)
        except Exception:
            log.exception("delivery %s is kept and waits", delivery.id)
            return _told(503, "kept, not yet delivered: an internal error, see the receiver's log", delivery.id, again=True)

    async def _take_in(self, delivery: Delivery) -> Response:
        times = await self.intake.keep(delivery)
        try:
            if delivery.truncated:
                raise Unreadable(f"the body is longer than {LONGEST_BODY} bytes, or it ended early")
            reports, strange = alertmanager.read(delivery.raw)
        except Unreadable as why:
            triage = await self.intake.to_triage(delivery, str(why), times)
            return _told(413 if delivery.truncated else 400, str(why), delivery.id, incident=triage.incident_id)
        settled = await self.intake.settle(delivery, await asyncio.to_thread(cases_of, delivery, reports))
        if strange:
            settled.append(await self.intake.to_triage(delivery, several(strange), times))
        if any(one.disposition == "unreachable" for one in settled):
            raise CliError("the Temporal server did not accept everything", unreachable=True)
        return _accepted(delivery, settled)


async def _body(request: Request) -> tuple[bytes, bool]:
    """At most the first MiB, and whether something is missing."""
    kept = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            async for chunk in request.stream():
                kept += chunk
                if len(kept) > LONGEST_BODY:
                    return bytes(kept[:LONGEST_BODY]), True
    except (TimeoutError, ClientDisconnect):
        return bytes(kept), True
    return bytes(kept), False


def _delivery(source: str, raw: bytes, truncated: bool) -> Delivery:
    name = hashlib.sha256(source.encode() + b"\0" + raw).hexdigest()[:20]
    return Delivery(id=f"d-{name}", source=source, raw=raw, received_at=datetime.now(UTC), truncated=truncated)


def _accepted(delivery: Delivery, settled: Sequence[AlertRecord]) -> Response:
    counts = {name: sum(one.disposition == name for one in settled) for name in dict.fromkeys(one.disposition for one in settled)}
    incidents = list(dict.fromkeys(one.incident_id for one in settled if one.incident_id))
    return JSONResponse({"delivery": delivery.id, "alerts": counts, "incidents": incidents}, 202)


def _told(code: int, sentence: str, delivery: str = "", incident: str = "", again: bool = False) -> Response:
    told = {"error": sentence, "delivery": delivery, "incident": incident}
    return JSONResponse({name: said for name, said in told.items() if said}, code, {"Retry-After": "5"} if again else None)


async def serve(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_url)
    await asyncio.to_thread(ledger.migrate)
    receiver = Receiver(settings, ledger)
    config = uvicorn.Config(receiver.app(), host=settings.alert_host, port=settings.alert_port, log_level="warning", access_log=False)
    async with AsyncExitStack() as stack:
        comparing = asyncio.create_task(Reconciler(settings, ledger, receiver.intake.connected, await _pager(settings, stack)).run())
        try:
            await _Announced(config).serve()
        finally:
            comparing.cancel()


async def _pager(settings: Settings, stack: AsyncExitStack) -> Pager | None:
    """What pages people about lost incidents. Without its credentials they are only recorded."""
    try:
        return await wire_pager(settings, stack)
    except (NoCredential, ValueError) as missing:  # the receiver accepts alerts, whatever else is not configured
        log.warning("nobody can be paged from here about lost incidents: %s", missing)
        return None


class _Announced(uvicorn.Server):
    """Prints where it listens: the port may have been 0."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"receiver ready: http://{host}:{port}/alerts/alertmanager", flush=True)


def main() -> None:
    """`python -m starters.alerts.receiver`. Ends with `os._exit`, as everything that used the Temporal SDK."""
    logging.basicConfig(level=os.environ.get("INCIDENT_LOG", "WARNING").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    code = 0
    try:
        asyncio.run(serve(Settings()))
    except (NoCredential, ValidationError, OSError, ValueError) as wrong:
        print(f"alert receiver: {wrong}", file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, SystemExit) as ended:
        code = ended.code if isinstance(ended, SystemExit) and isinstance(ended.code, int) else 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
