"""Patroni as a judge: two nodes of the real one, with Debian's etcd and PostgreSQL 15. Our client sees, pauses, and moves the leader, once.

The face of the practice platform is asked the same questions beside it. Everything runs as nobody: PostgreSQL refuses to run as root.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from activities.action import Call, NotYet, Refused
from activities.databases.platforms.patroni import Patroni
from activities.databases.postgresql.cluster import PostgresCluster
from activities.databases.postgresql.inventory import ClusterAt
from activities.databases.system import patroni_auth
from activities.kit.http import Conflict, HttpClient
from activities.kit.operation import At
from practice.stores.postgres import OWNER, PASSWORD
from practice.world.stage import served
from starters.gameday.processes import free_ports
from tests.judges.postgresql import BIN
from tests.judges.postgresql import SERVER as POSTGRES
from tests.judges.verdicts import Findings, Judge, NotRun, Program, Verdict, installed

PATRONI = "4.1.5"
ETCD = Program("etcd", "etcd-server")
USER = "incident"
STARTS_WITHIN = 90.0  # seconds
MOVES_WITHIN = 60.0
CALL = Call(incident_id="inc-20261123-db", key="inc/databases.promote/main/db-2/1", at=datetime.now(UTC))
SYSTEM_PYTHON = "/usr/bin/python3"  # nobody may not be let into the home that ours lies in
QUESTIONS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/cluster", None),
    ("GET", "/config", None),
    ("PATCH", "/config", {"pause": True}),
    ("GET", "/cluster", None),
    ("PATCH", "/config", {"pause": None}),
    ("POST", "/failover", {"leader": "db-1"}),
    ("POST", "/failover", {"candidate": "db-9"}),
    ("POST", "/switchover", {"candidate": "db-2"}),
    ("POST", "/switchover", {"leader": "db-9", "candidate": "db-2"}),
    ("POST", "/switchover", {"leader": "db-1", "candidate": "db-1"}),
    ("POST", "/switchover", {"leader": "db-1", "candidate": "db-9"}),
)


@dataclass
class Stood:
    """Two nodes, by name: the port of PostgreSQL and the address of Patroni's API."""

    folder: Path
    ports: dict[str, int]
    urls: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *words: str, **environment: str) -> None:
        as_whom: dict[str, Any] = {} if os.geteuid() else {"user": "nobody", "group": "nogroup", "extra_groups": []}
        with (self.folder / f"{name}.log").open("wb") as log:
            told = {
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "LC_ALL": "C",
                "PGPASSFILE": str(self.folder / f"{name}.pgpass"),
                **environment,
            }
            self.running.append(
                subprocess.Popen(
                    words, env=told, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **as_whom
                )
            )

    def stop(self) -> None:
        """The nodes first: Patroni ends its PostgreSQL."""
        for process in reversed(self.running):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)

    def writes(self, node: str) -> bool:
        """Whether its PostgreSQL takes writes."""
        try:
            with psycopg.connect(
                host="127.0.0.1", port=self.ports[node], user=OWNER, password=PASSWORD, dbname="postgres", connect_timeout=2
            ) as found:
                return found.execute("select not pg_is_in_recovery()").fetchone() == (True,)
        except psycopg.Error:
            return False


def _config(stood: Stood, name: str, etcd: int) -> dict[str, Any]:
    port, url = stood.ports[name], stood.urls[name]
    return {
        "scope": "main", "name": name, "etcd3": {"host": f"127.0.0.1:{etcd}"},
        "restapi": {
            "listen": url.removeprefix("http://"), "connect_address": url.removeprefix("http://"),
            "authentication": {"username": USER, "password": PASSWORD},
        },
        "bootstrap": {
            "dcs": {"ttl": 20, "loop_wait": 4, "retry_timeout": 5, "postgresql": {"use_pg_rewind": False, "parameters": {"wal_log_hints": "on"}}},
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}", "data_dir": str(stood.folder / name), "bin_dir": str(BIN),
            "pgpass": str(stood.folder / f"{name}.pgpass"),
            "authentication": {
                "superuser": {"username": OWNER, "password": PASSWORD}, "replication": {"username": "replicator", "password": PASSWORD},
            },
            "parameters": {"unix_socket_directories": "", "shared_buffers": "16MB", "max_connections": 40},
            "pg_hba": ["host all all 127.0.0.0/8 scram-sha-256", "host replication all 127.0.0.0/8 scram-sha-256"],
        },
    }  # fmt: skip


def _python(bin_folder: Path) -> tuple[str, dict[str, str]]:
    """The Python that Patroni runs with, and where it finds its modules."""
    if os.geteuid():
        return str(bin_folder / "python"), {}
    said = subprocess.run([SYSTEM_PYTHON, "-V"], capture_output=True, text=True, check=False) if Path(SYSTEM_PYTHON).exists() else None
    if said is None or not said.stdout.startswith(f"Python {sys.version_info.major}.{sys.version_info.minor}."):
        raise NotRun("not run: PostgreSQL refuses root, and nobody else has a Python of our version here")
    (modules,) = bin_folder.parent.glob("lib/python*/site-packages")
    return SYSTEM_PYTHON, {"PYTHONPATH": str(modules), "PYTHONDONTWRITEBYTECODE": "1"}


@contextlib.asynccontextmanager
async def patroni(bin_folder: Path, folder: Path) -> AsyncIterator[Stood]:
    """Etcd and two nodes, the second one when the first leads; until the block ends."""
    one, two, api_one, api_two, etcd, peer = free_ports(6)
    stood = Stood(
        folder / "here", {"db-1": one, "db-2": two}, {"db-1": f"http://127.0.0.1:{api_one}", "db-2": f"http://127.0.0.1:{api_two}"}
    )
    stood.folder.mkdir()
    if not os.geteuid():
        folder.chmod(0o711)
        shutil.chown(stood.folder, "nobody", "nogroup")
    client, peers = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
    python, modules = _python(bin_folder)
    try:
        stood.start(
            "etcd", ETCD.found(), "--data-dir", str(stood.folder / "etcd"), "--unsafe-no-fsync", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}",
        )  # fmt: skip
        for name in stood.ports:
            (stood.folder / f"{name}.yml").write_text(json.dumps(_config(stood, name, etcd)))  # JSON is YAML
            stood.start(name, python, "-c", "from patroni.__main__ import main; main()", str(stood.folder / f"{name}.yml"), **modules)
            await _comes(stood, name, "leader" if name == "db-1" else "replica")
        yield stood
    finally:
        await asyncio.to_thread(stood.stop)


async def _comes(stood: Stood, name: str, role: str) -> None:
    until = time.monotonic() + STARTS_WITHIN
    async with httpx.AsyncClient(base_url=stood.urls[name], trust_env=False) as api:
        while True:
            with contextlib.suppress(httpx.TransportError):
                members = (await api.get("/cluster")).json()["members"]
                if any((one["name"], one["role"], one["state"] in ("running", "streaming")) == (name, role, True) for one in members):
                    return
            if time.monotonic() > until:
                raise TimeoutError(f"{name} is no {role}: {(stood.folder / f'{name}.log').read_text()[-1500:]}")
            await asyncio.sleep(0.2)


async def outcome(asked: Any) -> Any:
    """What comes of it; of an error its kind and its words."""
    try:
        return await asked
    except (Refused, NotYet, Conflict, httpx.HTTPError) as no:
        return f"{type(no).__name__}: {no}".rstrip(": ")


async def promoted(client: PostgresCluster, node: str) -> list[str]:
    """As an operation is run: looked for first, begun, and after an unknown outcome looked for again. What came of each attempt."""
    tries: list[str] = []
    until = time.monotonic() + MOVES_WITHIN
    while (id := await client.find(CALL, "main", "promote", CALL.key, {"node": node})) is None and time.monotonic() < until:
        tries.append(str(await outcome(client.begin(CALL, "main", "promote", CALL.key, {"node": node}))))
    if id is not None:
        await until_so(lambda: _done(client, id), until - time.monotonic())
    return tries


async def until_so(asked: Callable[[], Awaitable[bool]], within: float) -> bool:
    """Whether it became so in that many seconds."""
    until = time.monotonic() + within
    while True:
        if (so := await asked()) or time.monotonic() > until:
            return so
        await asyncio.sleep(0.1)


async def _done(client: PostgresCluster, id: str) -> bool:
    return (await client.job(CALL, "main", id)).at is At.DONE


async def _paused(manager: Patroni) -> bool:
    return bool((await manager.state(CALL)).paused)


def _client(stood: Stood, manager: Patroni) -> PostgresCluster:
    nodes = {name: {"address": f"127.0.0.1:{port}", "seen_from": {"here": f"127.0.0.1:{port}"}} for name, port in stood.ports.items()}
    told = {
        "service": "api", "database": "postgres", "writers": ("product",), "nodes": nodes,
        "pooler": {"console": "127.0.0.1:1", "databases": stood.folder / "none", "writes": "product"},
    }  # fmt: skip
    return PostgresCluster({"main": ClusterAt.model_validate(told)}, OWNER, PASSWORD, {}, {"main": manager})


async def judged(stood: Stood, findings: Findings) -> None:
    """Our client on the real one. The first address of its list is that of a dead node."""
    expect, auth = findings.expect, patroni_auth(USER, PASSWORD)
    doors = [HttpClient(url, {}, auth=auth) for url in ("http://127.0.0.1:1", *stood.urls.values())]
    manager, wrong = Patroni(doors), Patroni([HttpClient(stood.urls["db-1"], {}, auth=patroni_auth(USER, "wrong"))])
    client = _client(stood, manager)
    state = await manager.state(CALL)
    expect("who leads, and for how long, is read", (state.leader, state.paused, state.leader_ttl_s) == ("db-1", False, 20), state)
    expect("with a wrong password nothing is written", "Refused" in str(await outcome(wrong.pause(CALL, True))))
    said = await outcome(manager.pause(CALL, True))
    await until_so(lambda: _paused(manager), 15.0)
    heard = [await _heard(url) for url in stood.urls.values()]
    expect("it is paused, and every node has heard it when we say so", said is None and all(heard), f"{said}, heard by nodes: {heard}")
    await manager.pause(CALL, False)
    expect("it goes on", not (await manager.state(CALL)).paused)
    tries = await promoted(client, "db-2")
    expect("PostgreSQL takes writes when we say that it was promoted", stood.writes("db-2"), tries)
    expect("the leader was moved, whatever replies were lost", (await manager.state(CALL)).leader == "db-2", tries)
    late = await outcome(manager.promote(CALL, "db-2"))
    await asyncio.sleep(6)
    history = await _get(stood.urls["db-2"], "/history")
    expect("once, although a late copy came", len(history) == 1 and (await manager.state(CALL)).leader == "db-2", (history, late, tries))
    expect("a node that is not there is refused", str(await outcome(manager.promote(CALL, "db-9"))).startswith(("Refused", "Conflict")))
    await _comes(stood, "db-1", "replica")
    await manager.pause(CALL, True)
    tries = await promoted(client, "db-1")
    expect("also while it is paused", stood.writes("db-1"), tries)
    await manager.pause(CALL, False)
    for door in doors:
        await door.close()


async def _get(url: str, path: str) -> Any:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as api:
        return (await api.get(path)).json()


async def _heard(url: str) -> bool:
    """Whether the node itself says that it is paused: until then it may promote."""
    return bool((await _get(url, "/patroni")).get("pause"))


async def same_answers(stood: Stood, findings: Findings) -> None:
    """The face answers with the same status and words, and with every field that our client reads."""
    await _comes(stood, "db-2", "replica")
    auth = patroni_auth(USER, PASSWORD)
    async with (
        served() as stage,
        httpx.AsyncClient(base_url=stood.urls["db-1"], auth=auth, trust_env=False, timeout=30) as real,
        httpx.AsyncClient(base_url=f"{stage.url}/patroni", auth=auth, trust_env=False) as face,
        httpx.AsyncClient(trust_env=False) as anybody,
    ):
        for method, path, body in QUESTIONS:
            theirs, ours = [await one.request(method, path, json=body) for one in (real, face)]
            said = [(one.status_code, sorted(_read(one))) for one in (theirs, ours)]
            alike = said[0][0] == said[1][0] and set(said[0][1]) <= set(said[1][1])
            findings.expect(
                " ".join(filter(None, ("the face answers as it does:", method, path, json.dumps(body) if body else ""))), alike, said
            )
        urls = (stood.urls["db-1"], f"{stage.url}/patroni")
        writes = [(await anybody.patch(f"{url}/config", json={"pause": True})).status_code for url in urls]
        findings.expect("without a password both refuse to write", writes == [401, 401], writes)
        reads = [(await anybody.get(f"{url}/cluster")).status_code for url in urls]
        findings.expect("and let anybody read", reads == [200, 200], reads)


READ = {"members", "name", "role", "state", "timeline", "api_url", "lag", "pause", "ttl", "loop_wait", "retry_timeout", "scope"}


def _read(answer: httpx.Response) -> set[str]:
    """The fields of it that are meant; of a text the text."""
    if "json" not in answer.headers.get("content-type", ""):
        return {answer.text}
    said = answer.json()
    names = {*said, *(name for one in said.get("members", ()) for name in one)}
    return {f"{name}={one[name]}" for one in said.get("members", ()) for name in ("role", "state")} | (names & READ)


async def run(folder: Path) -> Sequence[Verdict]:
    findings = Findings()
    bin_folder = await asyncio.to_thread(installed, "patroni", f"patroni[etcd3]=={PATRONI}", "psycopg[binary]")
    async with patroni(bin_folder, folder) as stood:
        await judged(stood, findings)
        await same_answers(stood, findings)
    return [findings.verdict(f"Patroni's client, and `/patroni` beside it, by Patroni {PATRONI}", "patroni db-1.yml; patroni db-2.yml")]


JUDGE = Judge("patroni", run, (ETCD, POSTGRES))
