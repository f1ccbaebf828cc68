"""PgBouncer: the file that it includes is replaced whole, then it reads it again, and what leads elsewhere is ended."""

import hashlib
import os
from configparser import ConfigParser
from io import StringIO
from pathlib import Path

import psycopg
from psycopg import sql

from activities.action import Refused
from activities.databases.postgresql.inventory import ClusterAt
from activities.kit.http import Conflict
from activities.kit.rest import Json


class Pooler:
    def __init__(self, cluster: ClusterAt, password: str) -> None:
        self._cluster, self._at, self._password = cluster, cluster.pooler, password

    def endpoint(self) -> Json:
        """Where clients are sent, by the console and not by the file; and the connections that lead elsewhere."""
        told = {str(row[0]): (str(row[1]), str(row[2])) for row in self._said("SHOW DATABASES")}
        writes, reads = told.get(self._at.writes), told.get(self._at.reads)
        strays: dict[str, int] = {}
        for database, host, port in self._said("SHOW SERVERS"):
            if told.get(str(database)) != (str(host), str(port)):
                name = self._name((str(host), str(port)))
                strays[name] = strays.get(name, 0) + 1
        found = {"writes_to": self._name(writes), "reads_from": [self._name(reads or writes)]}
        return {**found, "strays": strays, "etag": self._etag()}

    def point(self, etag: str, writes_to: str, reads_from: list[str]) -> None:
        """Raises `Conflict` when somebody has changed the file. New connections wait until it is done."""
        if etag != self._etag():
            raise Conflict(f"{self._at.databases} was changed")
        if not self._at.reads and reads_from not in ([], [writes_to]):
            raise Refused("this pooler has one database for reads and writes: reads go where writes go")
        wanted = {self._at.writes: writes_to, **({self._at.reads: (reads_from or [writes_to])[0]} if self._at.reads else {})}
        _replace(self._at.databases, self._text(wanted))
        for name in wanted:
            self._say("KILL", name)
        self._say("RELOAD")
        for name in wanted:
            self._say("RESUME", name)

    def _text(self, wanted: dict[str, str]) -> str:
        parser = ConfigParser()
        parser.read(self._at.databases)
        for name, node in wanted.items():
            host, _, port = self._cluster.nodes[node].address.partition(":")
            words = dict(word.split("=", 1) for word in parser["databases"][name].split())
            parser["databases"][name] = " ".join(f"{key}={value}" for key, value in {**words, "host": host, "port": port or "5432"}.items())
        out = StringIO()
        parser.write(out)
        return out.getvalue()

    def _name(self, at: tuple[str, str] | None) -> str:
        address = ":".join(at) if at else ""
        return next((name for name, node in self._cluster.nodes.items() if node.address == address), address)

    def _etag(self) -> str:
        return hashlib.sha256(self._at.databases.read_bytes()).hexdigest()[:16]

    def _say(self, verb: str, name: str = "") -> None:
        with self._console() as console:
            console.execute(sql.SQL(verb) + sql.SQL(" ") + sql.Identifier(name) if name else sql.SQL(verb))

    def _said(self, command: str) -> list[tuple[object, ...]]:
        with self._console() as console:
            ran = console.execute(command.encode())
            names = [column.name for column in ran.description or ()]
            wanted = [names.index(one) for one in (("name", "host", "port") if "DATABASES" in command else ("database", "addr", "port"))]
            return [tuple(row[n] for n in wanted) for row in ran.fetchall()]

    def _console(self) -> psycopg.Connection[tuple[object, ...]]:
        host, _, port = self._at.console.partition(":")
        return psycopg.connect(
            host=host, port=int(port), user=self._at.user, password=self._password, dbname="pgbouncer", autocommit=True, connect_timeout=2
        )


def _replace(file: Path, text: str) -> None:
    """Whole, or not at all."""
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text)
    os.replace(beside, file)  # noqa: PTH105 - the same, and said plainly
