"""Real input: Debian's Prometheus scrapes, Debian's Alertmanager posts, the real receiver opens the incident on a real Temporal server.

The world runs sixty times as fast, so the durations and the rates in the rules are divided by sixty; thresholds and labels are those we ship.
"""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from activities.ledger.inbox import Inbox
from practice.http.server import serve
from practice.world.world import World
from starters.gameday.processes import free_ports
from tests.stage.drill import BIN
from tests.stage.organisation import ORGANISATION, stage_settings
from tests.stage.running import until
from worker.converter import data_converter
from worker.service import worker
from worker.wiring import wire

PROMETHEUS, ALERTMANAGER = shutil.which("prometheus"), shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "alerts").glob("*.yml"))
PACE = 60
PATIENCE = 60.0  # real seconds; all of this shares two cores with the other tests
KEYWORDS = ("IncidentSeverity", "IncidentPhase", "IncidentState", "Playbook", "Commander")
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
RATE = re.compile(r"\brate\([^()]*\)")
# A range, an offset, the step of a subquery, or a duration that stands alone; never the `:5m` at the end of a name.
DURATION = re.compile(r"(?:(?<=\[)|(?<=offset )|(?<=[smhd]:)(?=\w+\])|^)((?:\d+[smhd])+)\b")

pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.skipif(not (PROMETHEUS and ALERTMANAGER), reason="apt-get install prometheus prometheus-alertmanager"),
]


def hurried(text: str) -> str:
    """Every duration in it and every rate, divided by the pace: Prometheus counts by a real second what happens in a minute of the world."""

    def shorter(found: re.Match[str]) -> str:
        seconds = sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", found[1]))
        return f"{round(seconds * 1000 / PACE)}ms"

    return RATE.sub(rf"(\g<0> / {PACE})", DURATION.sub(shorter, text))


def rules() -> dict[str, Any]:
    """All the rules we ship, in a hurry."""
    shipped: dict[str, Any] = {"groups": [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]}
    for group in shipped["groups"]:
        group["interval"] = hurried(group["interval"])
        for rule in group["rules"]:
            rule |= {name: hurried(rule[name]) for name in ("expr", "for", "keep_firing_for") if name in rule}
    return shipped


@dataclass
class Observed:
    """A world that a real Prometheus watches, and where its alerts end."""

    world: httpx.AsyncClient
    prometheus: httpx.AsyncClient
    receiver: str
    client: Client
    inbox: Inbox

    async def value(self, query: str) -> float | None:
        """One value out of Prometheus; None while there is none."""
        found = (await self.prometheus.get("/api/v1/query", params={"query": query})).json()["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    async def delivered(self, status: str) -> dict[str, Any] | None:
        """The first delivery about failing calls of that status that was brought to an incident."""
        for row in await asyncio.to_thread(self.inbox.deliveries):
            said = json.loads(row["raw"])
            if row["incident_id"] and said["status"] == status and said["commonLabels"].get("alertname") == "LlmProviderErrors":
                return row
        return None


@asynccontextmanager
async def process(log: Path, *command: object, env: Mapping[str, str] | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that runs for as long as the block lasts and not longer."""
    with log.open("wb") as out:
        started = await asyncio.create_subprocess_exec(*map(str, command), stdout=out, stderr=out, env=env, cwd=log.parent)
    try:
        yield started
    except BaseException as failed:
        failed.add_note(f"--- {log.name}:\n{tail(log)}")
        raise
    finally:
        with suppress(ProcessLookupError):
            started.terminate()
        try:
            await asyncio.wait_for(started.wait(), 5)
        except TimeoutError:
            started.kill()
            await started.wait()


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]


@asynccontextmanager
async def receiver(tmp: Path, settings: Any) -> AsyncIterator[str]:
    """Our receiver, as its own process; yields where it takes alerts."""
    log = tmp / "receiver.log"
    told = {"TEMPORAL_ADDRESS": settings.temporal_address, "QUEUE": settings.queue, "LEDGER_URL": settings.ledger_url, "ALERT_PORT": "0",
            "ALERT_TOKEN": settings.slack_token}  # fmt: skip
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | {f"INCIDENT_{name}": value for name, value in told.items()}
    async with process(log, sys.executable, "-m", "starters.alerts.receiver", env=env):

        async def address() -> str:
            found = re.search(r"receiver ready: (\S+)", log.read_text())
            return found[1] if found else ""

        yield await until(address, "the receiver", PATIENCE)


@asynccontextmanager
async def alertmanager(tmp: Path, target: str) -> AsyncIterator[str]:
    """Debian's Alertmanager, posting to our receiver; yields its address."""
    config = {
        "route": {"receiver": "incidents", "group_by": ["alertname", "incident_key"], "group_wait": "0s", "group_interval": "1s",
                  "repeat_interval": "4h"},
        "receivers": [
            {"name": "incidents", "webhook_configs": [{"url": target, "http_config": {"authorization": {"credentials": "practice-token"}}}]}
        ],
    }  # fmt: skip
    (tmp / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    flags = (
        f"--config.file={tmp}/alertmanager.yml",
        f"--storage.path={tmp}/am",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    async with process(tmp / "alertmanager.log", ALERTMANAGER, *flags):
        await ready(f"http://{address}")
        yield address


@asynccontextmanager
async def prometheus(tmp: Path, world: str, alerts_to: str) -> AsyncIterator[str]:
    """Debian's Prometheus, scraping the practice platform each second; yields its URL."""
    (tmp / "rules.yml").write_text(yaml.safe_dump(rules()))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "practice", "static_configs": [{"targets": [world.removeprefix("http://")]}]}],
        "rule_files": [str(tmp / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}]},
    }
    (tmp / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    flags = (
        f"--config.file={tmp}/prometheus.yml",
        f"--storage.tsdb.path={tmp}/tsdb",
        f"--web.listen-address={address}",
        "--query.lookback-delta=5s",
    )
    async with process(tmp / "prometheus.log", PROMETHEUS, *flags):
        await ready(f"http://{address}")
        yield f"http://{address}"


async def ready(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:

        async def answers() -> bool:
            with suppress(httpx.HTTPError):
                return (await http.get(f"{url}/-/ready")).status_code == 200
            return False

        await until(answers, url, PATIENCE)


@asynccontextmanager
async def observed(tmp: Path) -> AsyncIterator[Observed]:
    """Everything up: world, Temporal server, worker, receiver, Alertmanager, Prometheus."""
    organisation = tmp / "organisation.toml"
    organisation.write_text(ORGANISATION.format(policy=""))
    async with AsyncExitStack() as stack:
        attributes: list[SearchAttributeKey[Any]] = [*map(SearchAttributeKey.for_keyword, KEYWORDS), SearchAttributeKey.for_bool("Waiting")]
        env = await stack.enter_async_context(
            await WorkflowEnvironment.start_local(
                data_converter=data_converter, search_attributes=attributes, dev_server_existing_path=str(BIN / "temporal"),
                dev_server_log_level="error",
            )
        )  # fmt: skip
        world = await stack.enter_async_context(serve(World(pace=PACE)))
        address = {"temporal_address": env.client.service_client.config.target_host}
        settings = stage_settings(world, tmp, organisation).model_copy(update=address)
        fleet = await wire(settings, stack)
        for queue in settings.queues:
            await stack.enter_async_context(worker(env.client, fleet, queue, settings))
        target = await stack.enter_async_context(receiver(tmp, settings))
        watcher = await stack.enter_async_context(prometheus(tmp, world, await stack.enter_async_context(alertmanager(tmp, target))))
        control, queries = [await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False)) for url in (world, watcher)]
        yield Observed(control, queries, target, env.client, Inbox(fleet.ledger))


async def test_a_real_alert_opens_the_incident_and_its_end_is_recorded(tmp_path: Path) -> None:
    async with observed(tmp_path) as stage:
        await until(lambda: stage.value('llm:level{symptom="errors", provider="aurora"}'), "levels in Prometheus", PATIENCE)
        before = datetime.now(UTC)
        (
            await stage.world.post("/practice/provider-faults", json={"provider": "aurora", "kind": "overload", "rate": 0.6})
        ).raise_for_status()
        opening = await until(lambda: stage.delivered("firing"), "a delivery that opened an incident", PATIENCE)
        await opens_the_right_incident(stage.client, opening, before)
        await is_only_counted_when_it_comes_again(stage, opening)
        (await stage.world.delete("/practice/provider-faults")).raise_for_status()
        ending = await until(lambda: stage.delivered("resolved"), "a delivery that says it is over", PATIENCE)
        await is_recorded(stage, opening, ending)


async def opens_the_right_incident(client: Client, opening: dict[str, Any], before: datetime) -> None:
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(opening["incident_id"])
    described = await handle.describe()
    assert opening["incident_id"] in {f"inc-{day:%Y%m%d}-llm-chat" for day in (before, datetime.now(UTC))}
    assert (described.workflow_type, described.status) == ("LLMProviderOutage", WorkflowExecutionStatus.RUNNING)
    said = json.loads(opening["raw"])
    (alert,) = said["alerts"]
    assert (said["version"], said["receiver"], said["groupKey"][:3]) == ("4", "incidents", "{}:")
    assert (opening["source"], opening["truncated"], opening["disposition"], opening["count"]) == ("alertmanager", False, "opened", 1)
    labels = alert["labels"]
    assert (labels["provider"], labels["service"], labels["incident_key"]) == ("aurora", "chat", "llm_provider_outage/chat")
    assert re.fullmatch(r"aurora refuses \d[\d.]*% of the calls of chat", alert["annotations"]["summary"])
    assert datetime.fromisoformat(alert["startsAt"]) - before < timedelta(seconds=20)


async def is_only_counted_when_it_comes_again(stage: Observed, opening: dict[str, Any]) -> None:
    """What Alertmanager does at every repeat_interval: the very same body."""
    counted = opening["count"]
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": "Bearer practice-token"}) as http:
        answer = await http.post(stage.receiver, content=opening["raw"])
    assert (answer.status_code, answer.json()["alerts"]) == (202, {"duplicate": 1})
    (again,) = [row for row in await asyncio.to_thread(stage.inbox.deliveries) if row["id"] == opening["id"]]
    assert (again["count"], again["raw"], again["incident_id"]) == (counted + 1, opening["raw"], opening["incident_id"])


async def is_recorded(stage: Observed, opening: dict[str, Any], ending: dict[str, Any]) -> None:
    assert (ending["incident_id"], ending["disposition"], ending["count"]) == (opening["incident_id"], "joined", 1)
    timeline = await stage.client.get_workflow_handle(opening["incident_id"]).query("timeline")
    assert any(entry["text"].startswith("LlmProviderErrors resolved: aurora refuses") for entry in timeline)
    settled = [row for row in await asyncio.to_thread(stage.inbox.deliveries) if row["incident_id"]]
    about_it = {row["incident_id"] for row in settled if json.loads(row["raw"])["commonLabels"]["service"] == "chat"}
    assert about_it == {opening["incident_id"]}, "every alert about this service belongs to one incident, whichever file its rule is in"
