"""The alert receiver: Alertmanager's webhook (version 4) in, incidents out.

Every body is kept word for word before anybody reads it. What can be read opens or joins its incident; what cannot joins one `triage`
incident per source and half hour, which pages once and changes nothing until a person says what it is. Nothing is dropped: when the
Temporal server is away, the sender is told to come again.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import uvicorn
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from activities.ledger.ledger import AlertRecord, Delivery, Inbox, Ledger
from activities.paging.pager import Pager
from starters import steering
from starters.alerts.reconciler import Reconciler
from starters.errors import CliError
from starters.screens.text import plain
from worker.credentials import NoCredential, resolve
from worker.playbooks import PlaybookInfo, discover
from worker.settings import Settings
from worker.wiring import wire_pager
from workflows.incident import Alert, Incident, incident_id

log = logging.getLogger(__name__)

LONGEST_BODY = 1 << 20  # bytes
READ_WITHIN = 10.0  # seconds for a sender to finish its body
BUCKET = timedelta(minutes=30)  # unknown alerts of one source within this join one triage incident
OBSERVE_BELOW, OPEN_FROM = 0.6, 0.8  # spec §2.3: observe, suggest, open
MOST_AT_ONCE = 25  # incidents that one delivery may open; the rest of it is triage
MOST_TOLD = 20  # alerts of one delivery that one incident is told of one by one
FULL = 1500  # a workflow takes 2000 updates in its life; beyond this an alert is counted here only
BREATHER = 3.0  # seconds in which nobody tries again to reach a server that just did not answer
WAITING = ("received", "unreachable")  # dispositions after which an alert still has to be brought to its incident

T = TypeVar("T")


class Posted(BaseModel):
    """Alertmanager's webhook body. Fields that we do not need may come and go with its versions."""

    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    alerts: Annotated[list[Any], Field(min_length=1)]
    truncatedAlerts: int = 0  # noqa: N815 - the wire's name


class PostedAlert(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: Annotated[AwareDatetime, Field(gt=datetime(1970, 1, 2, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]  # noqa: N815
    fingerprint: str = ""


class Unreadable(Exception):
    """A body that we cannot make sense of, and why."""


class Case(NamedTuple):
    """An alert, the playbook it is for, and the incident it would open."""

    info: PlaybookInfo
    incident: Incident
    alert: Alert
    heard: AlertRecord
    ids: tuple[str, ...] = ()


class Receiver:
    """Takes deliveries in. One per process; several may run beside one another, the workflow ids keep them together."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self.inbox = Inbox(ledger)
        self.token = resolve(settings.alert_token, "INCIDENT_ALERT_TOKEN")
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = {}
        self._full: dict[str, str] = {}
        self._breathe_until = 0.0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/alerts/alertmanager", self.alertmanager, methods=["POST"]),
                Route("/healthz", self.healthz, methods=["GET"]),
            ]
        )

    async def healthz(self, request: Request) -> Response:
        """Alive, and what can be reached from here."""
        try:
            client = await asyncio.wait_for(self.connected(), 1)
            reached = await client.service_client.check_health(timeout=timedelta(seconds=1))
        except Exception:
            reached = False
        return JSONResponse({"ok": True, "temporal": reached})

    async def alertmanager(self, request: Request) -> Response:
        """One delivery. Never an unhandled error: the sender is told in one sentence what became of it."""
        if self.token and not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self.token}".encode()):
            return _told(401, "this receiver wants its bearer token: set http_config.authorization in Alertmanager")
        raw, truncated = await _body(request)
        delivery = _delivery("alertmanager", raw, truncated)
        try:
            return await self._take_in(delivery)
        except CliError as trouble:
            log.warning("delivery %s is kept and waits: %s", delivery.id, trouble.sentence)
            return _told(503, f"kept, not yet delivered: {trouble.sentence}", delivery.id, again=True)
        except Exception:
            log.exception("delivery %s is kept and waits", delivery.id)
            return _told(503, "kept, not yet delivered: something here is broken; its log says what", delivery.id, again=True)

    async def _take_in(self, delivery: Delivery) -> Response:
        times = await self._book(lambda: self.inbox.keep(delivery), 1)
        try:
            if delivery.truncated:
                raise Unreadable(f"the body is longer than {LONGEST_BODY} bytes, or broke off")
            posted = read(delivery.raw)
        except Unreadable as why:
            incident = await self._to_triage(delivery, str(why), times)
            return _told(413 if delivery.truncated else 400, str(why), delivery.id, incident=incident)
        understood, strange = await asyncio.to_thread(self._cases, delivery, posted)
        settled = [one for group in _grouped(understood) for one in await self._settle(delivery, group)]
        if strange:
            settled.append(await self._strange(delivery, strange, times))
        if any(one.disposition == "unreachable" for one in settled):
            raise CliError("the Temporal server did not take everything", unreachable=True)
        return _accepted(delivery, settled)

    async def _strange(self, delivery: Delivery, strange: Sequence[str], times: int) -> AlertRecord:
        """Alerts of a readable body that make no sense, and those that Alertmanager cut off."""
        why = "; ".join(strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        case = self._triage(delivery, "UnreadableAlert", why)
        incident = await self._to_triage(delivery, why, times)
        return case.heard.model_copy(update={"disposition": "triage", "incident_id": incident})

    async def _to_triage(self, delivery: Delivery, why: str, times: int) -> str:
        """The triage incident that hears of what cannot be read. The same body again is only counted."""
        case = self._triage(delivery, "UnreadableAlert", why)
        known = (await self._known([case])).get(case.heard.id) if times > 1 else None
        if known is not None and known.disposition not in WAITING:
            return known.incident_id
        async with self._alone(case.alert.dedup_key):
            settled = await self._bring(case)
        await self._book(lambda: self.inbox.settle(delivery.id, "triage", why, settled.incident_id, [settled]), None)
        if settled.disposition == "unreachable":
            raise CliError("the Temporal server does not answer", unreachable=True)
        return settled.incident_id

    def _cases(self, delivery: Delivery, posted: Posted) -> tuple[list[Case], list[str]]:
        """Each alert with its incident; and sentences about those that cannot be read."""
        understood: list[Case] = []
        strange = [f"{posted.truncatedAlerts} alerts were cut off by Alertmanager (max_alerts)"] if posted.truncatedAlerts > 0 else []
        keys: set[str] = set()
        for nth, one in enumerate(posted.alerts):
            try:
                alert = PostedAlert.model_validate(one)
            except (ValidationError, RecursionError) as wrong:
                strange.append(f"alert {nth + 1}: {_reason(wrong)}")
                continue
            case = self._case(delivery, alert)
            if case.alert.dedup_key not in keys and len(keys) >= MOST_AT_ONCE:
                case = self._unknown(delivery, alert, f"more than {MOST_AT_ONCE} incidents in one delivery")
            keys.add(case.alert.dedup_key)
            understood.append(case)
        return understood, strange

    def _case(self, delivery: Delivery, posted: PostedAlert) -> Case:
        """Which incident an alert is for: its label `playbook` names the playbook, its labels the scope."""
        labels = _labels(posted)
        try:
            info = steering.playbook(labels["playbook"])
        except KeyError:
            return self._unknown(delivery, posted, "the alert names no playbook")
        except CliError as unknown:
            return self._unknown(delivery, posted, unknown.sentence)
        incident = Incident(
            service=labels.get("service", ""), provider=labels.get("provider", ""), region=labels.get("region", ""),
            source=delivery.source, title=_summary(posted), confidence=_confidence(labels), started_at=_onset(posted, delivery),
            delivery=_alert_id(delivery, posted), labels=labels,
        )  # fmt: skip
        key = steering.dedup_key(info, incident)
        alert = _alert(delivery, posted, key, labels)
        return Case(info, incident.model_copy(update={"dedup_key": key}), alert, _heard(delivery, posted, alert))

    def _unknown(self, delivery: Delivery, posted: PostedAlert, why: str) -> Case:
        """A readable alert that no playbook knows."""
        labels = _labels(posted)
        case = self._triage(delivery, labels.get("alertname", "UnnamedAlert"), f"{_summary(posted)} ({why})")
        alert = _alert(delivery, posted, case.alert.dedup_key, labels)
        service = {"service": labels.get("service") or "unknown", "labels": labels, "delivery": alert.delivery}
        return case._replace(incident=case.incident.model_copy(update=service), alert=alert, heard=_heard(delivery, posted, alert))

    def _triage(self, delivery: Delivery, name: str, why: str) -> Case:
        """The triage incident of this source and half hour."""
        since = datetime.fromtimestamp(delivery.received_at.timestamp() // BUCKET.total_seconds() * BUCKET.total_seconds(), UTC)
        key = f"triage/{delivery.source}/{since:%Y-%m-%dT%H:%M}"
        alert = Alert(
            delivery=delivery.id, dedup_key=key, status="firing", name=name, summary=plain(why)[:300], starts_at=delivery.received_at
        )
        incident = Incident(
            service="unknown", title=plain(why)[:200], source=delivery.source, dedup_key=key, delivery=delivery.id,
            refused_input=f"delivery {delivery.id}",
        )  # fmt: skip
        heard = AlertRecord(
            id=delivery.id, source=delivery.source, fingerprint=delivery.id, starts_at=delivery.received_at, name=name, dedup_key=key,
            status="firing", delivery=delivery.id,
        )  # fmt: skip
        info = discover()["triage"]
        ids = tuple(incident_id(since, info.card.short, f"{delivery.source}-{since:%H%M}", nth) for nth in range(1, 10))
        return Case(info, incident, alert, heard, ids)

    async def _settle(self, delivery: Delivery, group: Sequence[Case]) -> list[AlertRecord]:
        """Bring the alerts of one incident to it, one sender at a time, and write down what became of each."""
        async with self._alone(group[0].alert.dedup_key):
            known = await self._known(group)
            settled: list[AlertRecord] = []
            told: list[str] = []
            for case in group:
                heard = await self._decide(case, known.get(case.heard.id), told[-1] if len(told) >= MOST_TOLD else "")
                known[heard.id] = heard
                settled.append(heard)
                told += [heard.incident_id] if heard.disposition in ("opened", "joined") else []
            said = "unreachable" if any(one.disposition == "unreachable" for one in settled) else settled[0].disposition
            await self._book(lambda: self.inbox.settle(delivery.id, said, "", settled[0].incident_id, settled), None)
        return settled

    async def _known(self, cases: Sequence[Case]) -> dict[str, AlertRecord]:
        """What we heard of these alerts before."""
        ids = [case.heard.id for case in cases]
        nothing: dict[str, AlertRecord] = {}
        return await self._book(lambda: self.inbox.known(ids), nothing)

    async def _decide(self, case: Case, before: AlertRecord | None, enough: str) -> AlertRecord:
        """What an alert means, given what we heard of it before."""
        heard = case.heard
        if before is not None and before.disposition not in WAITING:
            same = before.status == heard.status
            if same or before.status == "resolved":  # it resolved once: a firing that arrives after that was late on its way
                said = {"disposition": "duplicate" if same else "stale", "incident_id": before.incident_id, "status": before.status}
                return heard.model_copy(update=said)
        if heard.status == "resolved":
            return await self._resolved(case, before.incident_id if before else "")
        if case.incident.confidence < OBSERVE_BELOW:
            return heard.model_copy(update={"disposition": "observed"})
        if enough:
            return heard.model_copy(update={"disposition": "counted", "incident_id": enough})
        return await self._bring(case)

    async def _resolved(self, case: Case, incident: str) -> AlertRecord:
        """Tell the incident that it opened or joined, if that is still open; otherwise it is good to know and no more."""
        ended = case.heard.model_copy(update={"disposition": "recorded", "incident_id": incident})
        if not incident:
            return ended
        try:
            await self._reach(lambda client: steering.tell_of_alert(client, incident, case.alert))
        except CliError as trouble:
            return ended.model_copy(update={"disposition": "unreachable", "status": "firing"}) if trouble.unreachable else ended
        return ended.model_copy(update={"disposition": "joined"})

    async def _bring(self, case: Case) -> AlertRecord:
        """Open or join. Never an exception for a server that is away: the alert waits for the sender's next try."""
        full = self._full.get(case.alert.dedup_key, "")
        if full and not await asyncio.to_thread(steering.over, self.ledger, full):
            return case.heard.model_copy(update={"disposition": "counted", "incident_id": full})
        try:
            delivered = await self._reach(
                lambda client: steering.deliver(client, self.ledger, self.settings, case.info, case.incident, case.alert, case.ids)
            )
        except CliError as trouble:
            log.warning("alert %s waits: %s", case.heard.name, trouble.sentence)
            return case.heard.model_copy(update={"disposition": "unreachable"})
        if delivered.alerts >= FULL:
            self._full[case.alert.dedup_key] = delivered.incident_id
        said = "opened" if delivered.alerts <= 1 else "joined"
        return case.heard.model_copy(update={"disposition": said, "incident_id": delivered.incident_id})

    async def _reach(self, conversation: Callable[[Client], Awaitable[T]]) -> T:
        """Talk to the server; after it was silent, let it breathe instead of queueing up before it."""
        now = asyncio.get_running_loop().time
        if now() < self._breathe_until:
            raise CliError("the Temporal server did not answer a moment ago", unreachable=True)
        try:
            return await conversation(await self.connected())
        except CliError as trouble:
            if trouble.unreachable:
                self._breathe_until = now() + BREATHER
            raise

    async def connected(self) -> Client:
        """The client of the configured server, connected once. Raises `CliError`."""
        async with self._connecting:
            if self._client is None:
                self._client = await steering.connect(self.settings)
            return self._client

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """One at a time for one dedup key; the locks of keys that nobody waits for are forgotten."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield
        if not lock.locked() and not getattr(lock, "_waiters", None):
            self._locks.pop(key, None)

    async def _book(self, write: Callable[[], T], otherwise: T) -> T:
        """An incident opens even when our own book is shut."""
        try:
            return await asyncio.to_thread(write)
        except Exception:
            log.exception("the ledger did not answer; going on without it")
            return otherwise


def read(raw: bytes) -> Posted:
    """The webhook body. Raises `Unreadable` with one sentence."""
    try:
        return Posted.model_validate(json.loads(raw, parse_constant=_no_number))
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except ValidationError as wrong:
        raise Unreadable(f"this is no Alertmanager webhook of version 4: {_reason(wrong)}") from None
    except ValueError as wrong:
        raise Unreadable(f"the body is not JSON: {wrong}") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _reason(wrong: ValidationError | RecursionError) -> str:
    if isinstance(wrong, RecursionError):
        return "nested too deep"
    first = wrong.errors(include_url=False, include_input=False)[0]
    return plain(f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}")[:200]


async def _body(request: Request) -> tuple[bytes, bool]:
    """At most the first MiB, and whether that is not all of it."""
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


def _labels(posted: PostedAlert) -> dict[str, str]:
    """Its labels; and its trace ids, which rules write as annotations because they would make a series of each."""
    traced = {name: posted.annotations[name] for name in ("trace_id", "trace_ids") if posted.annotations.get(name)}
    return {plain(name)[:100]: plain(value)[:300] for name, value in [*list(posted.labels.items())[:64], *traced.items()]}


def _summary(posted: PostedAlert) -> str:
    said = (posted.annotations.get("summary"), posted.annotations.get("description"), posted.labels.get("alertname"), "an unnamed alert")
    return plain(next(filter(None, said)))[:200]


def _confidence(labels: dict[str, str]) -> float:
    """How sure the rule is (spec §2.3); one that says nothing is sure, one that says nonsense is only a suggestion."""
    try:
        said = float(labels.get("confidence", "1"))
    except ValueError:
        said = float("nan")
    return said if 0 <= said <= 1 else OBSERVE_BELOW


def _onset(posted: PostedAlert, delivery: Delivery) -> datetime:
    """When it began; a clock that is far off is not believed, because the incident's id carries the day."""
    plausible = delivery.received_at - timedelta(days=14) < posted.startsAt < delivery.received_at + timedelta(minutes=5)
    return posted.startsAt.astimezone(UTC) if plausible else delivery.received_at


def _alert_id(delivery: Delivery, posted: PostedAlert) -> str:
    """One alert since one instant, whatever else was in the body that brought it."""
    fingerprint = posted.fingerprint or json.dumps(posted.labels, sort_keys=True)
    told = json.dumps([delivery.source, fingerprint, posted.startsAt.isoformat()])
    return f"a-{hashlib.sha256(told.encode()).hexdigest()[:20]}"


def _alert(delivery: Delivery, posted: PostedAlert, key: str, labels: dict[str, str]) -> Alert:
    name = _alert_id(delivery, posted)
    return Alert(
        delivery=name if posted.status == "firing" else f"{name}-resolved", dedup_key=key, status=posted.status,
        name=labels.get("alertname", "UnnamedAlert"), summary=_summary(posted), labels=labels, starts_at=posted.startsAt,
    )  # fmt: skip


def _heard(delivery: Delivery, posted: PostedAlert, alert: Alert) -> AlertRecord:
    return AlertRecord(
        id=_alert_id(delivery, posted), source=delivery.source, fingerprint=plain(posted.fingerprint)[:100], starts_at=posted.startsAt,
        name=alert.name, dedup_key=alert.dedup_key, status=posted.status, delivery=delivery.id,
    )  # fmt: skip


def _grouped(cases: Iterable[Case]) -> list[list[Case]]:
    """The alerts of each incident together, firing ones first; each alert once."""
    groups: dict[str, dict[str, Case]] = {}
    for case in sorted(cases, key=lambda case: case.alert.status):
        groups.setdefault(case.alert.dedup_key, {})[f"{case.heard.id}{case.heard.status}"] = case
    return [list(group.values()) for group in groups.values()]


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
        comparing = asyncio.create_task(Reconciler(settings, ledger, receiver.connected, await _pager(settings, stack)).run())
        try:
            await _Announced(config).serve()
        finally:
            comparing.cancel()


async def _pager(settings: Settings, stack: AsyncExitStack) -> Pager | None:
    """What pages people about incidents that are lost; without its credentials they are only written down."""
    try:
        return await wire_pager(settings, stack)
    except (NoCredential, ValueError) as missing:  # the receiver takes alerts in, whatever else is not configured
        log.warning("nobody can be paged from here about incidents that are lost: %s", missing)
        return None


class _Announced(uvicorn.Server):
    """Says where it listens once it does: the port may have been 0."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"receiver ready: http://{host}:{port}/alerts/alertmanager", flush=True)


def main() -> None:
    """`python -m starters.alerts.receiver`. Leaves by `os._exit`, as everything that used the Temporal SDK."""
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
