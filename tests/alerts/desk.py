"""What the stories of the receiver are told with: a receiver, its ledger, a real Temporal server, and what stands in for the playbooks."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus

from activities.identity.codes import Codes
from activities.ledger.inbox import Inbox
from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from starters.alerts.receiver import Receiver
from tests.screens import situations
from worker.settings import Settings
from workflows.incident import Alert, Incident, Joined, State

CODES = Codes(b"0123456789abcdef")
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = f"{NOW:%Y%m%d}"


class StandIn:
    """What the receiver needs of a playbook: the `alert` update, and an end."""

    @workflow.init
    def __init__(self, incident: Incident) -> None:
        self.incident = incident
        self.heard: list[Alert] = []
        self.ended = self.stuck = False

    async def run(self, incident: Incident) -> None:
        await workflow.wait_condition(lambda: self.ended)

    @workflow.update
    async def alert(self, alert: Alert) -> Joined:
        await workflow.wait_condition(lambda: not self.stuck)
        if alert.dedup_key != self.incident.dedup_key:
            return Joined(mine=False, alerts=len(self.heard))
        self.heard.append(alert)
        return Joined(mine=True, alerts=len(self.heard))

    @workflow.update
    def approve(self, said: dict[str, Any]) -> str:
        return f"approved by {said['by']}"

    @workflow.signal
    def end(self) -> None:
        self.ended = True

    @workflow.signal
    def stick(self, stuck: bool) -> None:
        """Not to answer, as an incident whose workflow task fails."""
        self.stuck = stuck

    @workflow.query
    def told(self) -> tuple[Incident, list[Alert]]:
        return self.incident, self.heard


@workflow.defn(name="LLMProviderOutage")
class Outage(StandIn):
    @workflow.init
    def __init__(self, incident: Incident) -> None:
        super().__init__(incident)

    @workflow.run
    async def run(self, incident: Incident) -> None:
        await super().run(incident)


@workflow.defn(name="Triage")
class Unknown(StandIn):
    @workflow.init
    def __init__(self, incident: Incident) -> None:
        super().__init__(incident)

    @workflow.run
    async def run(self, incident: Incident) -> None:
        await super().run(incident)


class Desk:
    """A receiver, its ledger, the server behind it, and a service of its own to worry about."""

    def __init__(self, client: Client, settings: Settings, ledger: Ledger, service: str) -> None:
        self.client, self.settings, self.ledger, self.service = client, settings, ledger, service
        self.id = f"inc-{TODAY}-llm-{service}"
        self.inbox = Inbox(ledger)
        self.receiver = Receiver(settings, ledger, CODES)
        self.web = httpx.AsyncClient(transport=httpx.ASGITransport(self.receiver.app()), base_url="http://receiver", timeout=60)

    def but(self, **changed: Any) -> "Desk":
        """The same with other settings."""
        return Desk(self.client, self.settings.model_copy(update=changed), self.ledger, self.service)

    def alert(self, status: str = "firing", fingerprint: str = "f1", since: datetime = NOW, **labels: str) -> dict[str, Any]:
        named = {"alertname": "LlmProviderErrors", "playbook": "llm_provider_outage", "service": self.service, "region": "eu", **labels}
        return alert_of(status, fingerprint, since, **named)

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.web.post("/alerts/alertmanager", content=raw, headers=headers)

    def later(self, passed: timedelta) -> None:
        """Time passes for the receiver and its record."""
        now = self.ledger.now
        self.ledger.now = lambda: now() + passed

    async def closes(self, incident: str) -> None:
        """Its workflow ends, and its record says why."""
        handle = self.client.get_workflow_handle(incident)
        await handle.signal("end")
        await handle.result()
        self.record_as_over(incident)

    def record_as_over(self, incident: str) -> None:
        now = self.ledger.now()
        ended = {
            "incident_id": incident,
            "state": State.STOOD_DOWN,
            "closed_at": now,
            "resolved_at": None,
            "outcome": "false alarm, says dana",
        }
        self.ledger.write(Record(incident_id=incident, status=situations.over().model_copy(update=ended).model_dump(mode="json")))

    async def told(self, incident: str) -> tuple[Incident, list[Alert]]:
        answer: Any = await self.client.get_workflow_handle(incident).query("told", result_type=tuple[Incident, list[Alert]])
        return answer[0], answer[1]

    async def running(self) -> list[str]:
        return sorted(known for known in await self.everything() if known.startswith("inc-"))

    async def everything(self) -> list[str]:
        await asyncio.sleep(0.3)  # the server's own listing lags behind a little
        query = f"TaskQueue STARTS_WITH '{self.settings.queue}'"
        return [one.id async for one in self.client.list_workflows(query) if one.status is WorkflowExecutionStatus.RUNNING]


def webhook(*alerts: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "incidents", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am", "notification_reason": "first", "alerts": list(alerts),
        **changed,
    }  # fmt: skip


def alert_of(status: str, fingerprint: str, since: datetime, **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager tells it. Empty labels are left out."""
    return {
        "status": status, "labels": {name: value for name, value in labels.items() if value}, "annotations": {"summary": "61 % of calls fail"},
        "startsAt": since.isoformat(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prom/graph", "fingerprint": fingerprint,
    }  # fmt: skip


def body_of(*alerts: dict[str, Any]) -> bytes:
    return json.dumps(webhook(*alerts)).encode()
