"""The stage of a game day: a Temporal server on a file, the practice platform, the alert receiver and a worker, all on free ports."""

import importlib.util
import json
import secrets
import shutil
import socket
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.common import SearchAttributeKey

from starters.gameday.processes import DidNotStart, Processes, free_port, tool
from starters.gameday.scenario import Deed, Scenario
from worker.settings import Settings
from worker.systems import practice
from workflows.engine.record.recorder import ATTRIBUTES

# What the product ships for a one-box server: dispatch without the 50 ms quantum, and writes that survive a power cut (deploy/temporal/).
SERVER = (
    "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000",
    "--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000",
    "--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=2000",
    "--sqlite-pragma", "journal_mode=WAL",
    "--sqlite-pragma", "synchronous=FULL",
)  # fmt: skip
ROUTE = "chat"  # the service that the LLM route serves
TOKEN = "practice-token"  # noqa: S105 - the practice platform's own, known to everybody
ORGANISATION = Path(__file__).parent / "organisation.toml"


@dataclass
class Stage:
    """Everything that is up, and where."""

    home: Path
    settings: Settings
    processes: Processes
    practice: httpx.Client
    temporal_port: int
    ui_url: str
    receiver_url: str

    def restart_worker(self) -> None:
        self.processes.restart("worker")

    def restart_temporal(self) -> None:
        """After a kill, on the same file."""
        self.processes.restart("temporal")
        self.processes.wait_for("temporal", lambda: _answers(self.temporal_port))

    def world(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.practice.get("/practice/world").raise_for_status().json()
        return seen

    def effects(self) -> list[dict[str, Any]]:
        """What really happened at the targets."""
        log = self.home / "practice" / "effects.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def do(self, deed: Deed) -> None:
        """Do something to the world."""
        self.practice.post(f"/practice/{deed.path}", json=deed.given).raise_for_status()

    def phone(self, person: str) -> list[dict[str, Any]]:
        said = self.practice.get(f"/practice/inbox/{person}").raise_for_status().json()
        letters: list[dict[str, Any]] = said["inbox"] if isinstance(said, dict) else said
        return letters


def raise_stage(
    home: Path, scenario: Scenario, services: tuple[str, str], rules: Sequence[Path], *, pace: float, seed: int, least_wait: float,
    shadow: bool = False,
) -> Stage:  # fmt: skip
    """Bring everything up. Raises `DidNotStart`; then nothing is left running."""
    _look_whether_it_can_be_raised()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "token").write_text(TOKEN)
    (home / "codes").write_text(_fresh_secret())
    ports = {name: free_port() for name in ("temporal", "ui", "http", "practice", "receiver", "metrics")}
    _write_organisation(home, services, pace, least_wait, "shadow" if shadow else "live")
    environment = _environment(home, ports)
    _write_settings(home, environment)
    processes = Processes(home / "logs", environment)
    stage = Stage(
        home, Settings(**{k.removeprefix("INCIDENT_").lower(): v for k, v in environment.items()}), processes,  # type: ignore[arg-type]
        httpx.Client(base_url=f"http://127.0.0.1:{ports['practice']}", timeout=10), ports["temporal"],
        f"http://127.0.0.1:{ports['ui']}", f"http://127.0.0.1:{ports['receiver']}",
    )  # fmt: skip
    try:
        _start(stage, scenario, services, rules, ports, pace, seed)
    except BaseException:
        processes.stop_all()
        raise
    return stage


def _start(
    stage: Stage, scenario: Scenario, services: tuple[str, str], rules: Sequence[Path], ports: dict[str, int], pace: float, seed: int
) -> None:  # fmt: skip
    processes, home = stage.processes, stage.home
    attributes = [arg for one in ATTRIBUTES for arg in ("--search-attribute", f"{one.name}={_kind(one)}")]
    processes.start(
        "temporal",
        [
            tool("temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(ports["temporal"]), "--ui-port", str(ports["ui"]),
            "--http-port", str(ports["http"]), "--metrics-port", str(ports["metrics"]), "--db-filename", str(home / "temporal.db"),
            "--ui-disable-news-fetch", "--log-level", "error", *attributes, *SERVER,
        ],
    )  # fmt: skip
    python = [sys.executable, "-m"]
    processes.start(
        "practice",
        [*python, "practice", "--port", str(ports["practice"]), "--seed", str(seed), "--pace", str(pace), "--state", str(home / "practice"),
         *(word for path in rules for word in ("--rules", str(path))), "--receiver", f"{stage.receiver_url}/alerts/alertmanager",
         "--service", ROUTE, "--services", ",".join(services)],
    )  # fmt: skip
    processes.wait_for("temporal", lambda: _answers(ports["temporal"]))
    processes.start("worker", [*python, "worker"])
    processes.start("receiver", [*python, "starters.alerts.receiver"])
    processes.wait_for("practice", lambda: _answers(ports["practice"]))
    processes.wait_for("worker", lambda: processes.log_says("worker", "worker ready"))
    processes.wait_for("receiver", lambda: _answers(ports["receiver"]))


def _look_whether_it_can_be_raised() -> None:
    """The practice platform belongs to a checkout; an installed wheel has none, and need not have the server's program."""
    if importlib.util.find_spec("practice") is None:
        raise DidNotStart("the practice platform is not installed here: clone the repository, and `make demo` there")
    if shutil.which(tool("temporal")) is None:
        raise DidNotStart("there is no `temporal` program here: pip install 'incident-playbooks[practice]', or `make demo` in a checkout")


def _environment(home: Path, ports: dict[str, int]) -> dict[str, str]:
    token = f"file:{home / 'token'}"
    ours = {
        "temporal_address": f"127.0.0.1:{ports['temporal']}", "ui_url": f"http://127.0.0.1:{ports['ui']}",
        "ledger_url": f"sqlite:///{home / 'ledger.db'}", "organisation": str(home / "organisation.toml"), "evidence": str(home / "evidence"),
        "codes_secret": f"file:{home / 'codes'}", "alert_port": str(ports["receiver"]), "alert_token": token,
    }  # fmt: skip
    where = practice(f"http://127.0.0.1:{ports['practice']}", token) | ours
    return {f"INCIDENT_{name.upper()}": value for name, value in where.items()}


def _write_settings(home: Path, environment: dict[str, str]) -> None:
    """So that `incident` in another terminal finds this demo: `export INCIDENT_SETTINGS=<home>/settings.env`."""
    (home / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))


def _write_organisation(home: Path, services: tuple[str, str], pace: float, least_wait: float, mode: str) -> None:
    text = (
        ORGANISATION.read_text()
        .replace("pace = 1.0", f"pace = {pace}", 1)
        .replace('mode = "live"', f'mode = "{mode}"', 1)
        .replace("least_wait_for_people = 0", f"least_wait_for_people = {least_wait}", 1)
    )
    first, second = services
    text = text.replace("[services.api]", f"[services.{first}]").replace("acme/api", f"acme/{first}")
    text = text.replace("[services.orchestrator]", f"[services.{second}]").replace("acme/orchestrator", f"acme/{second}")
    tomllib.loads(text)
    (home / "organisation.toml").write_text(text)


def _fresh_secret() -> str:
    return secrets.token_hex(32)


def _kind(attribute: SearchAttributeKey[Any]) -> str:
    return "Bool" if attribute.value_type is bool else "Keyword"


def _answers(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(0.2)
        return s.connect_ex(("127.0.0.1", port)) == 0
