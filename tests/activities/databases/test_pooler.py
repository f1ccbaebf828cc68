"""The client of PgBouncer on the practice pooler, which answers as Debian's PgBouncer does (`make judge ONLY=pgbouncer`)."""

import shlex
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activities.action import Refused
from activities.databases import by_hand
from activities.databases.postgresql.inventory import ClusterAt
from activities.databases.postgresql.pooler import Pooler
from activities.databases.settings import Endpoint
from activities.kit.http import Conflict
from practice.stores import pooler as practised
from practice.stores.postgres import PASSWORD

FILE = """\
; who writes
[databases]
product = host={host} port={one} pool_size=5 application_name='the product' password='p%w'
Other = host={host} port={one} dbname=other
[users]
product = pool_mode=session
"""


class Stood:
    """A pooler before two ports that take connections."""

    def __init__(self, folder: Path, host: str) -> None:
        self.listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in ("db-1", "db-2")}
        self.ports = {name: one.getsockname()[1] for name, one in self.listeners.items()}
        self.file = folder / "databases.ini"
        self.file.write_text(FILE.format(host=host, one=self.ports["db-1"]))
        self.file.chmod(0o640)
        self.pooler = practised.Pooler(self.file).start()
        nodes = {name: {"address": f"{host}:{port}", "seen_from": {"here": f"{host}:{port}"}} for name, port in self.ports.items()}
        told = {
            "service": "api", "database": "product", "writers": ("product",), "nodes": nodes,
            "pooler": {"console": f"127.0.0.1:{self.pooler.port}", "databases": self.file, "writes": "product"},
        }  # fmt: skip
        self.client = Pooler(ClusterAt.model_validate(told), PASSWORD)

    def say(self, command: str) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.pooler.port, user="pgbouncer", dbname="pgbouncer", autocommit=True) as console:
            console.execute(command.encode())

    def session(self) -> socket.socket:
        """One of the product, that leads through."""
        words = b"user\0product\0database\0product\0\0"
        found = socket.create_connection(("127.0.0.1", self.pooler.port), timeout=5)
        found.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
        return found

    def connected(self, node: str) -> socket.socket:
        """The node's side of a session, once it is there."""
        self.listeners[node].settimeout(5)
        return self.listeners[node].accept()[0]

    def move(self, to: str) -> None:
        self.client.point(self.client.endpoint()["etag"], to, [])


@pytest.fixture(params=["127.0.0.1"])
def stood(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stood]:
    found = Stood(tmp_path, request.param)
    yield found
    found.pooler.stop()
    for one in found.listeners.values():
        one.close()


def test_only_host_and_port_are_written_and_whoever_may_read_the_file_still_may(stood: Stood) -> None:
    """Comments, quotes, a name in capitals, a percent sign, and what another section says of the same name."""
    before = stood.file.read_text()
    stood.move("db-2")
    wanted = before.replace(f"product = host=127.0.0.1 port={stood.ports['db-1']}", f"product = host=127.0.0.1 port={stood.ports['db-2']}")
    assert stood.file.read_text() == wanted and stood.file.stat().st_mode & 0o777 == 0o640
    assert stood.client.endpoint()["writes_to"] == "db-2"


@pytest.mark.parametrize("stood", ["localhost"], indirect=True)
def test_a_session_to_a_host_that_has_a_name_is_no_stray(stood: Stood) -> None:
    """PgBouncer shows a session by its address: each would look as if it led elsewhere, and no move would ever be proven."""
    with stood.session(), stood.connected("db-1"):
        assert stood.client.endpoint()["strays"] == {}
        stood.file.write_text(stood.file.read_text().replace(str(stood.ports["db-1"]), str(stood.ports["db-2"])))
        stood.say("RELOAD")
        assert stood.client.endpoint()["strays"] == {"db-1": 1}


def test_a_worker_that_died_between_its_commands_leaves_nobody_waiting(stood: Stood) -> None:
    prior = reading(stood)
    stood.say("KILL product")
    assert reading(stood).unfinished == ("the clients of product are held",)
    wanted = Endpoint(writes_to="db-1", reads_from=("db-1",))
    assert not wanted.same(reading(stood)), "or nobody would let them go on"
    assert wanted.between(prior, reading(stood)), "it is our own write, and no one else's"
    stood.move("db-1")
    assert wanted.same(reading(stood))
    with stood.session(), stood.connected("db-1"):
        pass


def test_a_file_that_was_replaced_and_not_read_is_read_by_the_next_attempt(stood: Stood) -> None:
    prior = reading(stood)
    stood.file.write_text(stood.file.read_text().replace(str(stood.ports["db-1"]), str(stood.ports["db-2"])))
    now, wanted = reading(stood), Endpoint(writes_to="db-2", reads_from=("db-2",))
    assert now.writes_to == "db-1" and "has not read" in now.unfinished[0] and wanted.between(prior, now)
    assert not wanted.between(prior, Endpoint(writes_to="db-3", reads_from=("db-3",), unfinished=now.unfinished))
    stood.move("db-2")
    assert reading(stood) == wanted


def test_an_address_that_somebody_else_has_written_is_not_written_over(stood: Stood) -> None:
    stood.file.write_text(stood.file.read_text().replace(str(stood.ports["db-1"]), "5999"))
    with pytest.raises(Refused, match="somebody has written another address of product"):
        stood.move("db-2")
    assert "port=5999" in stood.file.read_text()


def test_what_was_read_before_clients_were_moved_writes_nothing(stood: Stood) -> None:
    stale = stood.client.endpoint()["etag"]
    stood.move("db-2")
    with pytest.raises(Conflict):
        stood.client.point(stale, "db-1", [])
    assert stood.client.endpoint()["writes_to"] == "db-2"


def test_what_is_typed_by_hand_does_not_wait_for_sessions_to_end(stood: Stood) -> None:
    """PAUSE would: in PgBouncer's usual mode a session ends when the product is done with it."""
    with stood.session(), stood.connected("db-1"):
        for line in by_hand.repoint("db-2"):
            if line.startswith("#"):
                stood.file.write_text(stood.file.read_text().replace(str(stood.ports["db-1"]), str(stood.ports["db-2"])))
            else:
                stood.say(shlex.split(line)[-1].replace("$DATABASE", "product"))
    with stood.session(), stood.connected("db-2"):
        assert stood.client.endpoint()["strays"] == {}


def test_new_clients_that_are_refused_are_seen(stood: Stood) -> None:
    stood.say("DISABLE product")
    assert stood.client.endpoint()["refusing"] == ["product"]


def reading(stood: Stood) -> Endpoint:
    said: dict[str, Any] = stood.client.endpoint()
    return Endpoint.model_validate({name: said[name] for name in Endpoint.model_fields})
