"""From metrics to a webhook: rules, their waits, the body that arrives, and what happens when nobody takes it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from practice.metrics.templates import filled, humanize, humanize_duration, humanize_percentage
from practice.world.stage import Stage, staged

RULES = """
groups:
- name: provider
  rules:
  - record: provider:error_ratio:rate2m
    expr: 1 - sum by (provider) (rate(llm_requests_total{outcome="ok"}[2m])) / sum by (provider) (rate(llm_requests_total[2m]))
  - alert: ProviderFailing
    expr: provider:error_ratio:rate2m > 0.2
    for: 2m
    keep_firing_for: 1m
    labels: {severity: high, incident_key: 'llm/{{ $labels.provider }}'}
    annotations: {summary: '{{ $labels.provider }} fails {{ $value | humanizePercentage }}'}
"""


class Receiver:
    """Takes webhooks over HTTP, after refusing the first few."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.authorization: list[str] = []
        self.refuse = 0
        self.arrived = asyncio.Condition()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        self.authorization.append(head.split("authorization:")[1].split("\r\n")[0].strip())
        status = "200 OK"
        if self.refuse:
            self.refuse, status = self.refuse - 1, "503 No"
        else:
            self.bodies.append(body)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        async with self.arrived:
            self.arrived.notify_all()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.bodies) >= count)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    async with server:
        receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/alerts"
        yield receiver


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    return file


async def alert_states(stage: Stage) -> list[str]:
    return [alert["state"] for alert in (await stage.must("GET", "/prom/api/v1/alerts"))["data"]["alerts"]]


async def test_an_alert_waits_fires_and_is_resolved(rules: Path) -> None:
    async with listening() as receiver, staged(rules=[rules], receiver=receiver.url) as stage:
        receiver.refuse = 1
        assert await alert_states(stage) == []
        await stage.break_provider("aurora", "overload", 0.6, for_seconds=600)
        stage.forward(60)
        assert await alert_states(stage) == ["pending"]
        stage.forward(150)
        assert await alert_states(stage) == ["firing"]
        await receiver.until(1)
        fired = receiver.bodies[0]
        assert set(receiver.authorization) == {"bearer practice-token"}
        assert (fired["version"], fired["status"], fired["truncatedAlerts"]) == ("4", "firing", 0)
        assert fired["groupKey"] == '{}:{alertname="ProviderFailing", incident_key="llm/aurora"}'
        assert fired["groupLabels"] == {"alertname": "ProviderFailing", "incident_key": "llm/aurora"}
        (alert,) = fired["alerts"]
        assert alert["labels"] == fired["commonLabels"]
        assert alert["labels"]["provider"] == "aurora"
        assert alert["annotations"]["summary"].startswith("aurora fails ")
        assert alert["annotations"]["summary"].endswith("%")
        assert alert["endsAt"] == "0001-01-01T00:00:00Z"
        assert len(alert["fingerprint"]) == 16
        stage.forward(900)
        await receiver.until(2)
        resolved = receiver.bodies[1]
        assert resolved["status"] == resolved["alerts"][0]["status"] == "resolved"
        assert resolved["alerts"][0]["fingerprint"] == alert["fingerprint"]
        assert resolved["alerts"][0]["startsAt"] == alert["startsAt"]
        assert resolved["alerts"][0]["endsAt"] > alert["startsAt"]
        assert await alert_states(stage) == []


async def test_a_short_trouble_does_not_fire(rules: Path) -> None:
    async with listening() as receiver, staged(rules=[rules], receiver=receiver.url) as stage:
        await stage.break_provider("aurora", "overload", 0.6, for_seconds=30)
        stage.forward(900)
        await asyncio.sleep(0.05)
        assert receiver.bodies == []


async def test_a_firing_alert_is_repeated_every_four_hours(rules: Path) -> None:
    async with listening() as receiver, staged(rules=[rules], receiver=receiver.url) as stage:
        await stage.break_provider("aurora", "auth", 0.9)
        stage.forward(5 * 3600)
        await receiver.until(2)
        assert receiver.bodies[0]["alerts"][0]["startsAt"] == receiver.bodies[1]["alerts"][0]["startsAt"]


async def test_the_rules_can_be_read(rules: Path) -> None:
    async with staged(rules=[rules]) as stage:
        stage.forward(60)
        (group,) = (await stage.must("GET", "/prom/api/v1/rules"))["data"]["groups"]
        assert [rule["type"] for rule in group["rules"]] == ["recording", "alerting"]
        assert all(rule["health"] == "ok" for rule in group["rules"])
        assert stage.value("provider:error_ratio:rate2m{provider='aurora'}") < 0.05


async def test_a_broken_rule_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "broken.yml"
    file.write_text("groups: [{name: x, rules: [{alert: A, expr: 'sum('}]}]")
    with pytest.raises(ValueError, match=r"broken\.yml"):
        async with staged(rules=[file]):
            pass


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ $labels.provider }} is at {{ $value }}", "aurora is at 0.25"),
        ("{{$labels.provider}}", "aurora"),
        ("{{ $value | humanizePercentage }}", "25%"),
        ("{{ humanizePercentage $value }}", "25%"),
        ('{{ printf "%.1f" $value }}', "0.2"),
        ('{{ $value | printf "%.3f" }}', "0.250"),
        ("{{ $labels.missing }}!", "!"),
        ("{{ template }}", "{{ template }}"),
    ],
)
def test_template(text: str, result: str) -> None:
    assert filled(text, {"provider": "aurora"}, 0.25) == result


def test_numbers_as_people_say_them() -> None:
    assert [humanize(n) for n in (0, 1234567, 0.0012)] == ["0", "1.235M", "1.2m"]
    assert humanize_percentage(0.1234) == "12.34%"
    assert [humanize_duration(s) for s in (5, 3723, 90061, 0.25)] == ["5s", "1h 2m 3s", "1d 1h 1m 1s", "250ms"]
