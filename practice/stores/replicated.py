"""A real cluster: a primary, a streaming standby, a pooler, roads that can be cut, what fences a node; and a product that writes by the pooler.

It is watched from outside, by a clock of its own: which nodes take a write, every 50 ms.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from practice.stores.fencer import Fencer
from practice.stores.pooler import Pooler
from practice.stores.postgres import PASSWORD, NoServer, Postgres, binaries, start
from practice.stores.roads import Road

SOURCES = {"eu-west": "127.0.0.2", "us-east": "127.0.0.3", "outside": "127.0.0.4"}
PRODUCT, INCIDENT, OWNER = "product", "incident", "owner"
SET_UP = """
create role owner login password '{password}'; create role product login password '{password}';
create role incident login replication password '{password}';
grant pg_monitor, pg_signal_backend, owner to incident;
create database product owner owner
"""
TABLES = """
set role owner; create table written (id bigint primary key, at timestamptz not null default clock_timestamp());
grant select, insert on written to product; reset role;
grant execute on function pg_promote(boolean, integer) to incident
"""
SAMPLE_EVERY = 0.05


@dataclass
class Sample:
    """Which nodes took a write at an instant."""

    at: float
    writers: tuple[str, ...]


@dataclass
class Replicated:
    """`acknowledged`: what the product was told is written, with when. `samples`: who took writes."""

    home: Path
    nodes: dict[str, Postgres]
    pooler: Pooler
    fencer: Fencer
    roads: dict[str, dict[str, Road]]
    replication: Road
    admitted: Callable[[], bool] = lambda: True  # the gate of the application
    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def inventory(self) -> Path:
        return self.home / "clusters.toml"

    def live(self) -> None:
        """The product writes, and somebody watches."""
        for work in (self._write, self._watch):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)
        self.writes(20)

    def writes(self, more: int, within: float = 15.0) -> None:
        """Wait until so many more writes were acknowledged. Raises `TimeoutError`."""
        wanted, until = len(self.acknowledged) + more, time.monotonic() + within
        while len(self.acknowledged) < wanted:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self.acknowledged)} of {wanted} writes were acknowledged")
            time.sleep(0.02)

    def rest(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def stop(self) -> None:
        self.rest()
        self.replication.stop()
        self.pooler.stop()
        self.fencer.stop()
        for roads in self.roads.values():
            for road in roads.values():
                road.stop()
        self.nodes["db-1"].stop()

    def breaks(self, how: str) -> None:
        """`crash`: it is killed. `hang`: nobody new gets in, and the product writes on. `cut`: two of three networks do not reach it.

        `behind`: it is killed, and its standby had not taken everything that was acknowledged.
        """
        primary = self.nodes["db-1"]
        match how:
            case "crash":
                primary.crash()
            case "hang":
                primary.hang()
            case "cut":
                for vantage in ("us-east", "outside"):
                    self.roads["db-1"][vantage].close()
            case _:
                self.replication.close()
                time.sleep(0.5)
                primary.crash()

    def judged(self, losing_after: float) -> list[str]:
        """What must never be so: two writers, a promotion before the fence, a writer between both, a write lost outside of what was announced."""
        self.rest()
        two = [one for one in self.samples if len(one.writers) > 1]
        first = next((one.at for one in self.samples if "db-2" in one.writers), None)
        fenced = self.fencer.at.get("db-1")
        kept = self.kept("db-2")
        lost = [at for number, at in self.acknowledged if number not in kept]
        wrong = [f"{len(two)} samples with two writers"] if two else []
        wrong += ["nobody was promoted"] if first is None else []
        wrong += ["promoted before the fence"] if first is not None and (fenced is None or first < fenced) else []
        between = [one for one in self.samples if fenced is not None and first is not None and fenced < one.at < first and one.writers]
        wrong += [f"{len(between)} samples with a writer between fence and promotion"] if between else []
        outside = [at for at in lost if at < losing_after]
        return wrong + ([f"{len(outside)} acknowledged writes lost that were not announced"] if outside else [])

    def lost(self) -> int:
        kept = self.kept("db-2")
        return sum(number not in kept for number, _ in self.acknowledged)

    def kept(self, node: str) -> set[int]:
        """The writes that a node has."""
        with self.nodes[node].connect(database=PRODUCT) as connection:
            return {int(row[0]) for row in connection.execute("select id from written")}

    def _write(self) -> None:
        """One row after the other, by the pooler; a refusal or a lost connection is tried again with the next row."""
        number, connection = 0, None
        while not self._over.is_set():
            if not self.admitted():
                self._over.wait(0.02)
                continue
            number += 1
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(
                        host="127.0.0.1", port=self.pooler.port, user=PRODUCT, password=PASSWORD, dbname=PRODUCT, autocommit=True,
                        connect_timeout=2,
                    )  # fmt: skip
                connection.execute("insert into written (id) values (%s)", (number,))
                self.acknowledged.append((number, time.time()))
            except psycopg.Error:
                if connection is not None and connection.closed:
                    connection = None
                self._over.wait(0.02)
            self._over.wait(0.01)
        if connection is not None:
            connection.close()

    def _watch(self) -> None:
        """A write of one row in a table of its own would need a right: a message in the log is a write as well."""
        known: dict[str, psycopg.Connection[tuple[object, ...]] | None] = dict.fromkeys(self.nodes)
        while not self._over.is_set():
            began = time.monotonic()
            writers = tuple(name for name in self.nodes if self._takes_a_write(name, known))
            self.samples.append(Sample(time.time(), writers))
            self._over.wait(max(0.0, SAMPLE_EVERY - (time.monotonic() - began)))

    def _takes_a_write(self, name: str, known: dict[str, psycopg.Connection[tuple[object, ...]] | None]) -> bool:
        try:
            connection = known[name]
            if connection is None or connection.closed:
                known[name] = connection = self.nodes[name].connect(database=PRODUCT, connect_timeout=2)
            connection.execute("select pg_logical_emit_message(true, 'watch', '')")
        except psycopg.Error:
            if (broken := known[name]) is not None and broken.closed:
                known[name] = None
            return False
        return True


@contextlib.contextmanager
def replicated(home: Path) -> Iterator[Replicated]:
    """It lives as long as the block."""
    primary = start()
    try:
        for statement in SET_UP.format(password=PASSWORD).split(";"):
            primary.one(statement)
        with primary.connect(database=PRODUCT) as connection:
            for statement in TABLES.split(";"):
                connection.execute(statement.encode())
        _let_in(primary)
        nodes = {"db-1": primary, "db-2": primary.standby()}
        found = _around(home, nodes)
    except BaseException:
        primary.stop()
        raise
    try:
        yield found
    finally:
        found.stop()


def _replication(nodes: dict[str, Postgres]) -> Road:
    """The standby follows its primary by a road that can be cut."""
    primary, standby = nodes["db-1"], nodes["db-2"]
    road = Road(primary.port, "127.0.0.5").start()
    told = str(standby.one("select current_setting('primary_conninfo')")).replace(f"port={primary.port}", f"port={road.port}")
    with standby.connect() as connection:
        connection.execute(sql.SQL("alter system set primary_conninfo = {}").format(sql.Literal(told)))
    standby.one("select pg_reload_conf()")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if primary.one("select count(*) from pg_stat_replication where state = 'streaming' and client_addr = '127.0.0.5'"):
            return road
        time.sleep(0.05)
    raise NoServer("the standby does not follow by the road")


def _let_in(primary: Postgres) -> None:
    """The network of the pooler and of the vantage points."""
    with (primary.data / "pg_hba.conf").open("a") as file:
        file.write("host all all 127.0.0.0/8 scram-sha-256\nhost replication all 127.0.0.0/8 scram-sha-256\n")
    primary.one("select pg_reload_conf()")


def _around(home: Path, nodes: dict[str, Postgres]) -> Replicated:
    databases, snapshots = home / "databases.ini", home / "snapshots"
    snapshots.mkdir(parents=True)
    line = f"host=127.0.0.1 port={nodes['db-1'].port} dbname={PRODUCT}"
    databases.write_text(f"[databases]\n{PRODUCT} = {line}\n")
    pooler, fencer = Pooler(databases).start(), Fencer(nodes).start()
    roads = {name: {vantage: Road(node.port, source).start() for vantage, source in SOURCES.items()} for name, node in nodes.items()}
    told = [
        f'[main]\nservice = "api"\ndatabase = "{PRODUCT}"\nwriters = ["{PRODUCT}"]\nfence_url = "{fencer.url}"\n',
        f'programs = "{binaries()}"\nsnapshots = "{snapshots}"\n',
        f'[main.pooler]\nconsole = "127.0.0.1:{pooler.port}"\ndatabases = "{databases}"\nwrites = "{PRODUCT}"\n',
    ]
    for (name, node), region in zip(nodes.items(), ("eu-west", "us-east"), strict=True):
        told.append(f'[main.nodes.{name}]\nregion = "{region}"\naddress = "127.0.0.1:{node.port}"\n[main.nodes.{name}.seen_from]\n')
        told += [f'{vantage} = "127.0.0.1:{road.port}"\n' for vantage, road in roads[name].items()]
    (home / "clusters.toml").write_text("".join(told))
    return Replicated(home, nodes, pooler, fencer, roads, _replication(nodes))
