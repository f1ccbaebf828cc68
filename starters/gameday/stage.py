"""The stage of a game day: a Temporal server on a file, the practice platform, the alert receiver and a worker, all on free ports."""

import importlib.util
import json
import secrets
import shutil
import socket
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from starters.gameday.processes import DidNotStart, Processes, free_ports, tool
from starters.gameday.scenario import SCENARIOS, Deed, Options
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
RULES = sorted(Path("alerts").glob("*.yml"))
LOOPBACK = "127.0.0.1"


@dataclass
class Stage:
    """Everything that is up, and where."""

    home: Path
    settings: Settings
    processes: Processes
    practice: httpx.Client
    ports: dict[str, int]

    def restart(self, name: str) -> None:
        """After a kill, on the same files."""
        self.processes.restart(name)
        if name == "temporal":
            self.wait_for(name)

    def wait_for(self, name: str) -> None:
        self.processes.wait_for(name, lambda: _answers(self.ports[name]))

    def world(self) -> dict[str, Any]:
        seen: dict[str, Any] = self.practice.get("/practice/world").raise_for_status().json()
        return seen | {"knowledge": self.practice.get("/practice/knowledge").raise_for_status().json()["domains"]}

    def effects(self) -> list[dict[str, Any]]:
        """What really happened at the targets."""
        log = self.home / "practice" / "effects.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def do(self, deed: Deed) -> None:
        self.practice.post(f"/practice/{deed.path}", json=deed.given).raise_for_status()

    def phone(self, person: str) -> list[dict[str, Any]]:
        letters: list[dict[str, Any]] = self.practice.get(f"/practice/inbox/{person}").raise_for_status().json()["inbox"]
        return letters


def raise_stage(home: Path, options: Options, services: tuple[str, str]) -> Stage:
    """Bring everything up. Raises `DidNotStart`; then nothing is left running."""
    # The practice platform belongs to a checkout; an installed wheel has none, and need not have the server's program.
    if importlib.util.find_spec("practice") is None:
        raise DidNotStart("the practice platform is not installed here: clone the repository, and `make demo` there")
    if shutil.which(tool("temporal")) is None:
        raise DidNotStart("there is no `temporal` program here: pip install 'incident-playbooks[practice]', or `make demo` in a checkout")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    names = ("temporal", "ui", "http", "practice", "receiver", "metrics", "smtp", "cache", "secrets")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = _written(home, ports, options, services)
    settings = Settings(**{name.removeprefix("INCIDENT_").lower(): value for name, value in environment.items()})  # type: ignore[arg-type]
    # Where days pass at once the platform answers when it has lived through them: the cast waits, and the drill does not end for it.
    platform = httpx.Client(base_url=f"http://{LOOPBACK}:{ports['practice']}", timeout=120)
    stage = Stage(home, settings, Processes(home / "logs", environment), platform, ports)
    try:
        _start(stage, options, services)
    except BaseException:
        stage.processes.stop_all()
        raise
    return stage


def _start(stage: Stage, options: Options, services: tuple[str, str]) -> None:
    processes, home, ports = stage.processes, stage.home, {name: str(port) for name, port in stage.ports.items()}
    kinds = [f"{one.name}={'Bool' if one.value_type is bool else 'Keyword'}" for one in ATTRIBUTES]
    python = [sys.executable, "-m"]
    processes.start(
        "temporal",
        [
            tool("temporal"), "server", "start-dev", "--ip", LOOPBACK, "--port", ports["temporal"], "--ui-port", ports["ui"],
            "--http-port", ports["http"], "--metrics-port", ports["metrics"], "--db-filename", str(home / "temporal.db"),
            "--ui-disable-news-fetch", "--log-level", "error", *(word for kind in kinds for word in ("--search-attribute", kind)), *SERVER,
        ],
    )  # fmt: skip
    processes.start(
        "practice",
        [*python, "practice", "--port", ports["practice"], "--seed", str(options.seed), "--pace", str(options.pace),
         "--state", str(home / "practice"), *(word for path in RULES for word in ("--rules", str(path))),
         "--receiver", f"http://{LOOPBACK}:{ports['receiver']}/alerts/alertmanager", "--service", ROUTE, "--services", ",".join(services),
         "--smtp-port", ports["smtp"], "--cache-port", ports["cache"], "--secrets-port", ports["secrets"]],
    )  # fmt: skip
    stage.wait_for("temporal")
    processes.start("worker", [*python, "worker"])
    processes.start("receiver", [*python, "starters.alerts.receiver"])
    stage.wait_for("practice")
    processes.wait_for("worker", lambda: processes.log_says("worker", "worker ready"))
    stage.wait_for("receiver")


def _written(home: Path, ports: dict[str, int], options: Options, services: tuple[str, str]) -> dict[str, str]:
    """Write the secrets, the organisation and the settings; the environment that goes with them.

    `incident` in another terminal finds this demo by `export INCIDENT_SETTINGS=<home>/settings.env`.
    """
    (home / "token").write_text(TOKEN)
    (home / "codes").write_text(secrets.token_hex(32))
    text = ORGANISATION.read_text()
    for plain, ours in (
        ("pace = 1.0", _pace(options)), ('mode = "live"', f'mode = "{"shadow" if options.shadow else "live"}"'),
        ("least_wait_for_people = 0", f"least_wait_for_people = {60.0 if options.mine else 20.0}"),
        ("[services.api]", f"[services.{services[0]}]"), ("acme/api", f"acme/{services[0]}"),
        ("[services.orchestrator]", f"[services.{services[1]}]"), ("acme/orchestrator", f"acme/{services[1]}"),
    ):  # fmt: skip
        text = text.replace(plain, ours)
    if options.systems:
        text += "\n[policy.systems]\n" + "".join(f'{system} = "{client}"\n' for system, client in options.systems)
    tomllib.loads(text)
    (home / "organisation.toml").write_text(text)
    token = f"file:{home / 'token'}"
    said = practice(f"http://{LOOPBACK}:{ports['practice']}", token) | {
        "temporal_address": f"{LOOPBACK}:{ports['temporal']}", "ui_url": f"http://{LOOPBACK}:{ports['ui']}",
        "ledger_url": f"sqlite:///{home / 'ledger.db'}", "organisation": str(home / "organisation.toml"), "evidence": str(home / "evidence"),
        "codes_secret": f"file:{home / 'codes'}", "alert_port": str(ports["receiver"]), "alert_token": token,
        "smtp_address": f"{LOOPBACK}:{ports['smtp']}", "smtp_tls": "none", "smtp_from": "incidents@example.com",
        "secret_manager_project": "acme", "secret_manager_address": f"{LOOPBACK}:{ports['secrets']}", "secret_manager_tls": "none",
        "cache_address": f"redis://incident@{LOOPBACK}:{ports['cache']}/0", "cache_password": token, **dict(options.settings),
    }  # fmt: skip
    environment = {f"INCIDENT_{name.upper()}": value for name, value in said.items()}
    (home / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    return environment


def _pace(options: Options) -> str:
    """The pace of each phase, as keys of the policy."""
    scenario = SCENARIOS[options.playbook]
    slow = {phase.value: min(pace, options.pace) for phase, pace in scenario.paces.items()}
    named = ", ".join(f"{phase} = {pace}" for phase, pace in slow.items())
    longest = max(scenario.long_wait_pace, options.pace)
    return f"pace = {options.pace}\npaces = {{ {named} }}\nlong_wait_pace = {longest}"


def _answers(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(0.2)
        return s.connect_ex((LOOPBACK, port)) == 0
