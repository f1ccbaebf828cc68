"""The alert receiver: webhooks in, incidents out.

Every body is kept before it is read: word for word, but for the secrets and addresses in it. What can be read opens or joins its incident.
What cannot be read joins one `triage` incident per source and half hour, which pages once and changes nothing until a person decides. Nothing
is dropped: if the Temporal server is away, the sender is asked to try again.
"""

import asyncio
import hashlib
import hmac
import logging
import socket
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.ledger.inbox import Delivery
from activities.ledger.ledger import Ledger
from activities.paging.pager import Pager
from starters.alerts import alertmanager
from starters.alerts.cases import Unreadable, cases_of
from starters.alerts.intake import Intake
from starters.alerts.reconciler import Reconciler
from starters.screens.text import CliError
from worker import process
from worker.settings import Settings, resolve
from worker.wiring import building

log = logging.getLogger(__name__)

LONGEST_BODY = 1 << 20  # bytes
READ_WITHIN = 10.0  # seconds for a sender to finish its body


class Receiver:
    """The HTTP side. Every answer is one sentence that says what became of the delivery."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.intake = Intake(settings, ledger)
        self.token = resolve(settings.alert_token, "INCIDENT_ALERT_TOKEN")

    def app(self) -> Starlette:
        alerts = Route("/alerts/alertmanager", self.alertmanager, methods=["POST"])
        return Starlette(routes=[alerts, Route("/healthz", self.healthz, methods=["GET"])])

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
        name = hashlib.sha256(alertmanager.SOURCE.encode() + b"\0" + raw).hexdigest()[:20]
        delivery = Delivery(id=f"d-{name}", source=alertmanager.SOURCE, raw=raw, received_at=datetime.now(UTC), truncated=truncated)
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
            more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
            settled.append(await self.intake.to_triage(delivery, "; ".join(strange[:3]) + more, times))
        if any(one.disposition == "unreachable" for one in settled):
            raise CliError("the Temporal server did not accept everything", unreachable=True)
        incidents = list(dict.fromkeys(one.incident_id for one in settled if one.incident_id))
        counts = Counter(one.disposition for one in settled)
        return JSONResponse({"delivery": delivery.id, "alerts": counts, "incidents": incidents}, 202)


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


def _told(code: int, sentence: str, delivery: str = "", incident: str = "", again: bool = False) -> Response:
    told = {"error": sentence, "delivery": delivery, "incident": incident}
    return JSONResponse({name: said for name, said in told.items() if said}, code, {"Retry-After": "5"} if again else None)


async def serve() -> None:
    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    await asyncio.to_thread(ledger.migrate)
    receiver = Receiver(settings, ledger)
    config = uvicorn.Config(receiver.app(), host=settings.alert_host, port=settings.alert_port, log_level="warning", access_log=False)
    async with AsyncExitStack() as stack:
        pager: Pager | None = None
        try:
            pager = building(settings, stack).system(Pager)
        except ValueError as missing:  # the receiver accepts alerts, whatever else is not configured
            log.warning("nobody can be paged from here about lost incidents; they are only recorded: %s", missing)
        comparing = asyncio.create_task(Reconciler(settings, ledger, receiver.intake.connected, pager).run())
        try:
            await _Announced(config).serve()
        finally:
            comparing.cancel()


class _Announced(uvicorn.Server):
    """Prints where it listens: the port may have been 0."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"receiver ready: http://{host}:{port}/alerts/alertmanager", flush=True)


def main() -> None:
    process.run("alert receiver", serve)


if __name__ == "__main__":
    main()
