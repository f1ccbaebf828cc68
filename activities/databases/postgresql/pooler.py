"""PgBouncer: the file that it includes is replaced whole, then it reads it again, and what leads elsewhere is ended.

Moving clients takes several commands. A worker that dies between them leaves clients held, or a file that PgBouncer has not read: both are
`unfinished` in what is read, so that the next attempt goes on.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from activities.action import Refused
from activities.databases.postgresql.inventory import ClusterAt
from activities.kit.http import Conflict
from activities.kit.rest import Json

LINE = re.compile(r"\s*(?P<name>[^\s;#=\[%]+)\s*=(?P<words>.*)", re.S)
WORD = re.compile(r"(?P<key>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|[^\s']*)")
SECTION = re.compile(r"\s*\[(?P<name>[^\]]*)\]")


class At(NamedTuple):
    host: str
    port: str


class Database(NamedTuple):
    """A database as the console shows it. `held`: its clients wait. `refusing`: new ones are turned away."""

    at: At
    held: bool
    refusing: bool


class Pooler:
    def __init__(self, cluster: ClusterAt, password: str) -> None:
        self._cluster, self._at, self._password = cluster, cluster.pooler, password

    def endpoint(self) -> Json:
        """Where clients are sent, by the console and not by the file; and the connections that lead elsewhere."""
        told, file = self._databases(), self._in_file()
        ours = {name: told[name] for name in self._names if name in told}
        writes, reads = ours.get(self._at.writes), ours.get(self._at.reads)
        unfinished = [f"the clients of {name} are held" for name, one in ours.items() if one.held]
        unfinished += [f"{self._at.databases.name} has another address of {name}, which PgBouncer has not read"
                       for name, one in ours.items() if file.get(name, one.at) != one.at]  # fmt: skip
        return {
            "writes_to": self._node(writes), "reads_from": [self._node(reads or writes)], "strays": self._strays(told), "unfinished": unfinished,
            "refusing": [name for name, one in ours.items() if one.refusing], "etag": self._etag(told),
        }  # fmt: skip

    def point(self, etag: str, writes_to: str, reads_from: list[str]) -> None:
        """Raises `Conflict` when clients were moved since. New connections wait until it is done."""
        told = self._databases()
        if etag != self._etag(told):
            raise Conflict("the pooler sends its clients elsewhere than was read")
        if not self._at.reads and reads_from not in ([], [writes_to]):
            raise Refused("this pooler has one database for reads and writes: reads go where writes go")
        nodes = {self._at.writes: writes_to, **({self._at.reads: (reads_from or [writes_to])[0]} if self._at.reads else {})}
        wanted, file = {name: self._of(node) for name, node in nodes.items()}, self._in_file()
        if missing := [name for name in wanted if name not in told or name not in file]:
            raise Refused(f"{', '.join(missing)} is not in {self._at.databases}, or PgBouncer does not know it")
        if theirs := [name for name, at in wanted.items() if file[name] not in (told[name].at, at)]:
            raise Refused(
                f"somebody has written another address of {', '.join(theirs)} into {self._at.databases}, and PgBouncer has not read it"
            )
        _replace(self._at.databases, "".join(_pointed(self._lines(), wanted)))
        try:
            for name in wanted:
                self._say("KILL", name)
            self._say("RELOAD")
        finally:
            for name in wanted:
                with contextlib.suppress(psycopg.DatabaseError):  # it is not held: what is read back says whether somebody is
                    self._say("RESUME", name)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, (self._at.writes, self._at.reads))))

    def _databases(self) -> dict[str, Database]:
        rows = self._said("SHOW DATABASES", "name", "host", "port", "paused", "disabled")
        return {name: Database(At(host, port), _yes(paused), _yes(disabled)) for name, host, port, paused, disabled in rows}

    def _strays(self, told: dict[str, Database]) -> dict[str, int]:
        """Connections to other places than their database has now, by node. A connection is shown by its address, a database by its host."""
        known, strays = self._addresses(), dict[str, int]()
        for database, host, port in self._said("SHOW SERVERS", "database", "addr", "port"):
            at = told[database].at if database in told else None
            local = at is not None and host == "unix" and at.host[:1] in ("", "/")
            if at is None or not (local or (host in known.get(at.host, {at.host}) and port == at.port)):
                name = self._node_at(host, port, known)
                strays[name] = strays.get(name, 0) + 1
        return strays

    def _addresses(self) -> dict[str, set[str]]:
        """What PgBouncer has found for each host that is a name."""
        found = {host: set(addresses.split(",")) for host, addresses in self._said("SHOW DNS_HOSTS", "hostname", "addrs")}
        return {host: {re.sub(r":\d*$", "", one) if one.count(":") == 1 else one for one in many} for host, many in found.items()}

    def _in_file(self) -> dict[str, At]:
        found: dict[str, At] = {}
        for name, words, _ in _entries(self._lines()):
            said = {word["key"]: _plain(word["value"]) for word in WORD.finditer(words)}
            found[name] = At(said.get("host", ""), said.get("port", "5432"))
        return found

    def _lines(self) -> list[str]:
        return self._at.databases.read_text().splitlines(keepends=True)

    def _of(self, node: str) -> At:
        host, _, port = self._cluster.nodes[node].address.rpartition(":")
        return At(host, port) if host else At(port, "5432")

    def _node(self, one: Database | None) -> str:
        """The node that is meant; an address that is none of ours as it is."""
        if one is None:
            return ""
        return next((name for name in self._cluster.nodes if self._of(name) == one.at), ":".join(one.at))

    def _node_at(self, host: str, port: str, known: dict[str, set[str]]) -> str:
        of = {name: self._of(name) for name in self._cluster.nodes}
        met = (name for name, at in of.items() if at.port == port and host in known.get(at.host, {at.host}))
        return next(met, f"{host}:{port}")

    def _etag(self, told: dict[str, Database]) -> str:
        """By where clients are sent and whether they are held: whoever moves them changes it."""
        return hashlib.sha256(repr([(name, told.get(name)) for name in self._names]).encode()).hexdigest()[:16]

    def _say(self, verb: str, name: str = "") -> None:
        with self._console() as console:
            console.execute(sql.SQL(verb) + sql.SQL(" ") + sql.Identifier(name) if name else sql.SQL(verb))

    def _said(self, command: str, *wanted: str) -> list[tuple[str, ...]]:
        """These columns. One that this version does not have, and what is null, is empty."""
        with self._console() as console:
            ran = console.execute(command.encode())
            names = [column.name for column in ran.description or ()]
            return [tuple(_text(row[names.index(one)]) if one in names else "" for one in wanted) for row in ran.fetchall()]

    def _console(self) -> psycopg.Connection[tuple[object, ...]]:
        host, _, port = self._at.console.partition(":")
        return psycopg.connect(
            host=host, port=int(port), user=self._at.user, password=self._password, dbname="pgbouncer", autocommit=True, connect_timeout=2
        )


def _entries(lines: list[str]) -> Iterator[tuple[str, str, int]]:
    """Each database of the file: its name, what is said of it, and its line."""
    section = ""
    for number, line in enumerate(lines):
        if (head := SECTION.match(line)) is not None:
            section = head["name"]
        elif section == "databases" and (found := LINE.match(line)) is not None:
            yield found["name"].strip('"'), found["words"], number


def _pointed(lines: list[str], wanted: dict[str, At]) -> list[str]:
    """The same file with other hosts and ports, and everything else as it stands there."""
    out = list(lines)
    for name, words, number in _entries(lines):
        if name not in wanted:
            continue
        told, ending = {"host": wanted[name].host, "port": wanted[name].port}, words[len(words.rstrip()) :]

        def put(word: re.Match[str], told: dict[str, str] = told) -> str:
            return f"{word['key']}={told.pop(word['key'])}" if word["key"] in told else word[0]

        said = WORD.sub(put, words.rstrip())
        missing = "".join(f" {key}={value}" for key, value in told.items())
        out[number] = lines[number][: len(lines[number]) - len(words)] + said + missing + ending
    return out


def _plain(value: str) -> str:
    return value[1:-1].replace("''", "'") if value.startswith("'") else value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _yes(value: str) -> bool:
    return value in ("1", "t", "true", "True")


def _replace(file: Path, text: str) -> None:
    """Whole, or not at all; who may read it stays as it was."""
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text)
    was = file.stat()
    beside.chmod(was.st_mode & 0o7777)
    with contextlib.suppress(PermissionError):  # only root gives files away
        os.chown(beside, was.st_uid, was.st_gid)
    os.replace(beside, file)  # noqa: PTH105 - the same, and said plainly
