"""Debian's PgBouncer as a judge, before a real primary and standby: our client moves clients with it, and reads what it says of itself.

The pooler of the practice platform is asked the same beside it. PgBouncer refuses to run as root, as PostgreSQL does: it runs as nobody.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from activities.action import Refused
from activities.databases import by_hand
from activities.databases.postgresql.inventory import ClusterAt
from activities.databases.postgresql.pooler import Pooler
from activities.kit.http import Conflict
from practice.stores import pooler as practised
from practice.stores.ports import free_port
from practice.stores.postgres import OWNER, PASSWORD, Postgres, running
from tests.judges.verdicts import Findings, Judge, Program, Verdict, version

PGBOUNCER = Program("pgbouncer", "pgbouncer")
UNREAD = ["databases.ini has another address of product, which PgBouncer has not read"]
STARTS_WITHIN = 10.0  # seconds
CONFIG = """\
%include {databases}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
admin_users = pgbouncer
pool_mode = session
logfile = {folder}/log
"""


@dataclass
class Before:
    """A pooler before two servers, of whichever make: its console, and the file that it includes."""

    make: str
    port: int
    databases: Path
    nodes: dict[str, Postgres]
    host: str = "127.0.0.1"

    def client(self) -> Pooler:
        """Ours."""
        nodes = {
            name: {"address": f"{self.host}:{node.port}", "seen_from": {"here": f"127.0.0.1:{node.port}"}}
            for name, node in self.nodes.items()
        }
        told = {
            "service": "api", "database": "postgres", "writers": ("product",), "nodes": nodes,
            "pooler": {"console": f"127.0.0.1:{self.port}", "databases": self.databases, "writes": "product"},
        }  # fmt: skip
        return Pooler(ClusterAt.model_validate(told), PASSWORD)

    def product(self, within: int = 5) -> psycopg.Connection[Any]:
        """A session of the product, through the pooler."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=OWNER, password=PASSWORD, dbname="product", autocommit=True, connect_timeout=within
        )

    def say(self, command: str) -> list[tuple[Any, ...]]:
        """What a person types on the console."""
        words = {"host": "127.0.0.1", "port": self.port, "user": "pgbouncer", "password": PASSWORD, "dbname": "pgbouncer"}
        with psycopg.connect(**words, autocommit=True, connect_timeout=5) as console:  # type: ignore[arg-type]
            ran = console.execute(command.encode())
            return ran.fetchall() if ran.description else []

    def leads_to(self) -> str:
        """The node in which a new session of the product ends."""
        with self.product() as session:
            row = session.execute("select current_setting('port')::int").fetchone()
        return next(name for name, node in self.nodes.items() if row and node.port == row[0])


def listed(nodes: dict[str, Postgres], host: str = "127.0.0.1") -> str:
    """As a company writes it: with words of its own beside ours, a comment, and a name in capitals."""
    more = "pool_size=5 application_name='the product' password='p%w'"
    at = f"host={host} port={nodes['db-1'].port}"
    return f"; who writes\n[databases]\nproduct = {at} dbname=product {more}\nOther = {at} dbname=product\n"


@contextlib.contextmanager
def pgbouncer(folder: Path, nodes: dict[str, Postgres], host: str = "127.0.0.1") -> Iterator[Before]:
    """The real one, until the block ends."""
    folder.mkdir()
    databases, config, port = folder / "databases.ini", folder / "pgbouncer.ini", free_port()
    databases.write_text(listed(nodes, host).replace("'p%w'", PASSWORD))
    config.write_text(CONFIG.format(databases=databases, port=port, folder=folder))
    (folder / "users.txt").write_text("".join(f'"{name}" "{PASSWORD}"\n' for name in ("pgbouncer", OWNER)))
    as_whom: dict[str, Any] = {}
    if not os.geteuid():
        as_whom = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        for place in (folder, *folder.iterdir()):
            shutil.chown(place, "nobody", "nogroup")
        folder.parent.chmod(0o711)
    process = subprocess.Popen(
        [PGBOUNCER.found(), str(config)], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_whom
    )
    found = Before("PgBouncer", port, databases, nodes, host)
    try:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                found.say("SHOW VERSION")
                break
            if time.monotonic() > until or process.poll() is not None:
                raise TimeoutError(f"PgBouncer did not start: {(folder / 'log').read_text()[-800:] if (folder / 'log').exists() else ''}")
            time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def beside(folder: Path, nodes: dict[str, Postgres], host: str = "127.0.0.1") -> Iterator[Before]:
    """The one of the practice platform, before the same servers."""
    folder.mkdir()
    (folder / "databases.ini").write_text(listed(nodes, host))
    started = practised.Pooler(folder / "databases.ini").start()
    try:
        yield Before("the practice pooler", started.port, folder / "databases.ini", nodes, host)
    finally:
        started.stop()


def told(do: Callable[[], Any]) -> Any:
    """What comes of it; of an error the first line."""
    try:
        return do()
    except (psycopg.Error, Conflict, Refused) as no:
        return f"{type(no).__name__}: {str(no).strip().splitlines()[0]}"


def judged(before: Before, findings: Findings) -> None:
    """Every step of moving clients, and what the client reads after it."""
    client, make = before.client(), before.make

    def expect(what: str, right: bool, found: object = "") -> None:
        findings.expect(f"{make}: {what}", right, found)

    def reads(what: str, **wanted: Any) -> None:
        seen = told(client.endpoint)
        expect(what, isinstance(seen, dict) and all(seen.get(name) == value for name, value in wanted.items()), seen)

    reads("where writes go is read", writes_to="db-1", reads_from=["db-1"], strays={})
    with before.product() as session:
        session.execute("select 1")
        reads("a session that leads where it should is no stray", strays={})
        edited = before.databases.read_text()
        before.databases.write_text(edited.replace(f"port={before.nodes['db-1'].port}", f"port={before.nodes['db-2'].port}"))
        reads(
            "a file that it has not read again moves nothing",
            writes_to="db-1",
            unfinished=UNREAD,
        )
        expect("what somebody has written into the file, and PgBouncer has not read, is not written over",
               "PgBouncer has not read it" in str(told(lambda: client.point(client.endpoint()["etag"], "db-1", []))))  # fmt: skip
        before.say("RELOAD")
        reads("after RELOAD by hand an old session is a stray", writes_to="db-2", strays={"db-1": 1})
        before.databases.write_text(edited)
        before.say("RELOAD")
    expect("clients are moved", told(lambda: client.point(client.endpoint()["etag"], "db-2", [])) is None, told(client.endpoint))
    reads("where they were moved to is read", writes_to="db-2", strays={}, unfinished=[])
    expect("a new session ends there", told(before.leads_to) == "db-2", told(before.leads_to))
    text = before.databases.read_text()
    expect("whatever else stands in the file stays", "; who writes" in text and "\nOther = " in text and "'the product'" in text, text)
    with before.product() as session:
        session.execute("select 1")
        client.point(client.endpoint()["etag"], "db-1", [])
        expect("a session that led elsewhere is ended", isinstance(told(lambda: session.execute("select 1")), str))
    by_hand_too(before, expect)
    broken_off(before, expect, reads)
    stale = client.endpoint()["etag"]
    client.point(stale, "db-2", [])
    expect(
        "under what was read before a move nothing is written", str(told(lambda: client.point(stale, "db-1", []))).startswith("Conflict")
    )
    client.point(client.endpoint()["etag"], "db-1", [])
    expect("RESUME of what is not held is an error, and no end", "not paused" in str(told(lambda: before.say("RESUME product"))),
           told(lambda: before.say("RESUME product")))  # fmt: skip
    expect("KILL of what is not there is an error", "no such database" in str(told(lambda: before.say("KILL nothing"))))


def broken_off(before: Before, expect: Callable[..., None], reads: Callable[..., None]) -> None:
    """A worker that dies between KILL and RESUME leaves clients waiting: that is read, and the next attempt ends it."""
    client = before.client()
    before.say("KILL product")
    waits = threading.Thread(target=lambda: told(before.leads_to), daemon=True)
    waits.start()
    waits.join(1.0)
    expect("after KILL a new session waits", waits.is_alive())
    reads("that clients are held is read", writes_to="db-1", unfinished=["the clients of product are held"])
    expect("the next attempt lets them go on", told(lambda: client.point(client.endpoint()["etag"], "db-1", [])) is None)
    waits.join(5.0)
    expect("and the session that waited is served", not waits.is_alive())
    reads("nobody is held any more", unfinished=[])
    before.say("PAUSE product")
    reads("PAUSE by hand is read", unfinished=["the clients of product are held"])
    before.say("RESUME product")
    before.say("DISABLE product")
    reads("DISABLE by hand is read", refusing=["product"])
    expect("then new sessions are refused", "disable" in str(told(before.leads_to)), told(before.leads_to))
    before.say("ENABLE product")
    reads("and ENABLE", refusing=[])


def by_hand_too(before: Before, expect: Callable[..., None]) -> None:
    """What a person is told to type, while the product is connected: each line by psql, and the file edited where it says so."""
    service = before.databases.with_name("services")
    service.write_text(f"[pgbouncer]\nhost=127.0.0.1\nport={before.port}\nuser=pgbouncer\ndbname=pgbouncer\npassword={PASSWORD}\n")
    edited, there = before.databases.read_text(), (before.nodes["db-1"].port, before.nodes["db-2"].port)
    with before.product() as session:
        session.execute("select 1")
        for line in by_hand.repoint("db-2"):
            if line.startswith("#"):
                before.databases.write_text(edited.replace(f"port={there[0]}", f"port={there[1]}"))
                continue
            environment = {**os.environ, "PGSERVICEFILE": str(service), "DATABASE": "product", "PGSSLMODE": "disable"}
            try:
                typed = subprocess.run(
                    ["bash", "-ec", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=False
                )
                expect(f"by hand, {line}", typed.returncode == 0, typed.stderr.strip())
            except subprocess.TimeoutExpired:
                expect(f"by hand, {line}", False, "it waits for the product's sessions to end")
    expect("by hand clients are moved", told(before.leads_to) == "db-2", told(before.leads_to))
    client = before.client()
    client.point(client.endpoint()["etag"], "db-1", [])


def by_name(before: Before, findings: Findings) -> None:
    """PgBouncer shows connections by address where the file has a name."""
    with before.product() as session:
        session.execute("select 1")
        seen = told(before.client().endpoint)
        right = isinstance(seen, dict) and (seen["writes_to"], seen["strays"]) == ("db-1", {})
        findings.expect(f"{before.make}: a session to a host that has a name is no stray", right, seen)


def everything(folder: Path) -> Verdict:
    findings = Findings()
    with running(standbys=1) as primary:
        nodes = {"db-1": primary, "db-2": primary.standbys[0]}
        primary.one("create database product")
        with pgbouncer(folder / "real", nodes) as real:
            judged(real, findings)
        with pgbouncer(folder / "named", nodes, "localhost") as named:
            by_name(named, findings)
        with beside(folder / "practice", nodes) as ours:
            judged(ours, findings)
        with beside(folder / "practice-named", nodes, "localhost") as named:
            by_name(named, findings)
    shown = f"{version(PGBOUNCER.found())}: pgbouncer pgbouncer.ini"
    return findings.verdict("PgBouncer's client, and the practice pooler beside it, by Debian's PgBouncer", shown)


async def run(folder: Path) -> Sequence[Verdict]:
    return [await asyncio.to_thread(everything, folder)]


JUDGE = Judge("pgbouncer", run, (PGBOUNCER,))
