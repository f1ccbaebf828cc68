"""The alert receiver: webhooks in, incidents out.

Every body is kept before it is read: word for word, but for the secrets and addresses in it. What can be read opens or joins its incident.
What cannot be read joins one `triage` incident per source and half hour, which pages once and changes nothing until a person decides. Nothing
is dropped: if the Temporal server or an incident does not answer, we bring it the alert as soon as it does. The sender is asked to try again.
"""

import asyncio
import hashlib
import hmac
import logging
import re
import socket
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.action import Refused
from activities.identity.codes import Codes
from activities.ledger.inbox import WAITING, Delivery
from activities.ledger.ledger import Ledger
from activities.organisation.organisation import Organisation
from activities.organisation.routing import AlertSource
from activities.paging.pager import Pager
from starters.alerts import alertmanager
from starters.alerts.intake import LONGEST_BODY, Intake
from starters.alerts.reconciler import Reconciler
from starters.alerts.sources import github
from starters.alerts.sources.signed import Signature, kept_of
from starters.alerts.unheard import UnheardAlerts
from worker import process
from worker.settings import Settings, resolve
from worker.wiring import building

log = logging.getLogger(__name__)

READ_WITHIN = 10.0  # seconds for a sender to finish its body
UNSIGNED = "the signature is not that of this body, or there is none"


class Receiver:
    """The HTTP side. Every answer is one sentence that says what became of the delivery."""

    def __init__(self, settings: Settings, ledger: Ledger, codes: Codes | None = None) -> None:
        """`codes`: what a verified source says is sealed with; without them it only opens incidents, and automation asks."""
        self.intake = Intake(settings, ledger, codes)
        self._settings = settings
        self.token = resolve(settings.alert_token, "INCIDENT_ALERT_TOKEN")
        self.github_secret = resolve(settings.github_webhook_secret, "INCIDENT_GITHUB_WEBHOOK_SECRET")

    def app(self) -> Starlette:
        alerts = [
            Route("/alerts/alertmanager", self.alertmanager, methods=["POST"]),
            Route("/alerts/github", self.github, methods=["POST"]),
            Route("/alerts/{source}", self.described, methods=["POST"]),
        ]
        return Starlette(routes=[*alerts, Route("/healthz", self.healthz, methods=["GET"])])

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
        raw, truncated = await kept_of(request.stream(), LONGEST_BODY, READ_WITHIN)
        return await self._take_in(alertmanager.SOURCE, raw, truncated, verified=bool(self.token))

    async def github(self, request: Request) -> Response:
        """`X-Hub-Signature-256` is looked at before anything else. What an event means stands in its header."""
        event = request.headers.get("x-github-event", "")
        if not self.github_secret:
            return _told(403, "GitHub's webhooks are not taken in: INCIDENT_GITHUB_WEBHOOK_SECRET is not set")
        signature = Signature(self.github_secret, request.headers.get("x-hub-signature-256", ""), "sha256=")
        if event == github.PING:
            await kept_of(request.stream(), LONGEST_BODY, READ_WITHIN, signature)
            return JSONResponse({"pong": True}) if signature.good else _told(401, UNSIGNED)
        named = event if re.fullmatch(r"[a-z_]{1,60}", event) else "unknown"
        return await self._signed(request, github.PREFIX + named, signature)

    async def described(self, request: Request) -> Response:
        """A system that `organisation.toml` describes."""
        name = request.path_params["source"]
        try:
            source = Organisation(self._settings.organisation).read_sources().get(name)
        except Refused as wrong:
            log.warning("no alert of %s is taken in: %s", name, wrong.message)
            return _told(503, "what is sent here cannot be told now: organisation.toml cannot be read", again=True)
        if source is None:
            return _told(404, "nobody of this name sends alerts: describe it in [sources] of organisation.toml")
        key = await asyncio.to_thread(_key_of, name, source)
        if not key:
            return _told(503, "the key by which it is signed cannot be read", again=True)
        return await self._signed(request, name, Signature(key, request.headers.get(source.header, ""), source.prefix))

    async def _signed(self, request: Request, source: str, signature: Signature) -> Response:
        raw, truncated = await kept_of(request.stream(), LONGEST_BODY, READ_WITHIN, signature)
        if not signature.good:
            return _told(401, UNSIGNED)
        return await self._take_in(source, raw, truncated, verified=True)

    async def _take_in(self, source: str, raw: bytes, truncated: bool, *, verified: bool) -> Response:
        name = hashlib.sha256(source.encode() + b"\0" + raw).hexdigest()[:20]
        delivery = Delivery(id=f"d-{name}", source=source, raw=raw, received_at=self.intake.ledger.now(), truncated=truncated)
        try:
            settled, why = await self.intake.take_in(delivery, verified=verified)
        except Exception:
            log.exception("delivery %s is kept and waits", delivery.id)
            return _told(503, "kept, not yet delivered: an internal error, see the receiver's log", delivery.id, again=True)
        if any(one.disposition in WAITING for one in settled):
            sentence = "kept, not yet delivered: an incident or the Temporal server does not answer; we go on trying"
            return _told(503, sentence, delivery.id, again=True)
        if why:
            return _told(413 if delivery.truncated else 400, why, delivery.id, incident=settled[0].incident_id)
        incidents = list(dict.fromkeys(one.incident_id for one in settled if one.incident_id))
        counts = Counter(one.disposition for one in settled)
        return JSONResponse({"delivery": delivery.id, "alerts": counts, "incidents": incidents}, 202)


def _told(code: int, sentence: str, delivery: str = "", incident: str = "", again: bool = False) -> Response:
    told = {"error": sentence, "delivery": delivery, "incident": incident}
    return JSONResponse({name: said for name, said in told.items() if said}, code, {"Retry-After": "5"} if again else None)


def _key_of(name: str, source: AlertSource) -> str:
    try:
        return resolve(source.signed_by, f"sources.{name}.signed_by")
    except ValueError as wrong:
        log.warning("no alert of %s is taken in: %s", name, wrong)
        return ""


async def serve() -> None:
    settings = Settings()
    ledger = Ledger(settings.ledger_url)
    await asyncio.to_thread(ledger.migrate)
    async with AsyncExitStack() as stack:
        pager, codes = _if_configured(settings, stack)
        receiver = Receiver(settings, ledger, codes)
        config = uvicorn.Config(receiver.app(), host=settings.alert_host, port=settings.alert_port, log_level="warning", access_log=False)
        reconciler = Reconciler(settings, ledger, receiver.intake.connected, pager)
        await receiver.intake.look_again()  # what waited before we were started comes before what comes now
        loops = (reconciler.run(), UnheardAlerts(reconciler).run(), receiver.intake.redeliver())
        beside = [asyncio.create_task(loop) for loop in loops]
        try:
            await _Announced(config).serve()
        finally:
            for loop in beside:
                loop.cancel()
            await receiver.intake.close()


def _if_configured(settings: Settings, stack: AsyncExitStack) -> tuple[Pager | None, Codes | None]:
    """The receiver accepts alerts, whatever else is not configured."""
    pager: Pager | None = None
    codes: Codes | None = None
    try:
        build = building(settings, stack)
        codes = build.part(Codes)
        pager = build.system(Pager)
    except ValueError as missing:
        seal = "" if codes else "; what a verified source says is not sealed, and automation asks"
        log.warning("nobody can be paged from here about lost incidents; they are only recorded%s: %s", seal, missing)
    return pager, codes


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
