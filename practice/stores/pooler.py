"""A small pooler before real PostgreSQL servers: it moves connections, and has the part of PgBouncer's console that moving them needs.

It reads `[databases]` of a file (`product = host=127.0.0.1 port=5001`), as PgBouncer does, and reads it again at RELOAD. KILL ends the
connections of a database and holds new ones until RESUME; PAUSE waits until its sessions have ended; DISABLE refuses new ones. A connection
is led through as it is: whoever connects signs in at the server. `make judge` asks Debian's PgBouncer the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from practice.stores.ports import free_port

SSL, CANCEL = 80877103, 80877102
CONSOLE = "pgbouncer"
LOOPBACK = "127.0.0.1"
LINE = re.compile(r"\s*(?P<name>[^\s;#=\[%]+)\s*=(?P<words>.*)")
WORD = re.compile(r"(?P<key>\w+)\s*=\s*'?(?P<value>[^\s']*)")


@dataclass
class Server:
    """A connection that leads through: of which database, and to which address."""

    database: str
    host: str
    port: int
    writer: asyncio.StreamWriter
    client: asyncio.StreamWriter
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Pooler:
    """It runs in a thread of its own until it is stopped."""

    config: Path
    port: int = field(default_factory=free_port)
    databases: dict[str, tuple[str, int]] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)  # the address of each host that is a name
    _held: dict[str, asyncio.Event] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _ready: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Pooler:
        self.reload()
        threading.Thread(target=self._run, daemon=True).start()
        if not self._ready.wait(10):
            raise RuntimeError("the pooler did not start")
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def reload(self) -> None:
        found: dict[str, tuple[str, int]] = {}
        for line in self.config.read_text().partition("[databases]")[2].splitlines():
            if line.startswith("["):
                break
            if (entry := LINE.match(line)) is not None:
                told = {word["key"]: word["value"] for word in WORD.finditer(entry["words"])}
                found[entry["name"]] = (told["host"], int(told["port"]))
        self.databases = found

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._met, LOOPBACK, self.port))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # the last one: it is stopped
            first = await _startup(reader, writer)
            words = first[8:].split(b"\0")
            given = dict(zip(words[::2], words[1::2], strict=False))
            database = given.get(b"database", given.get(b"user", b"")).decode()
            if database == CONSOLE:
                await self._console(reader, writer)
            else:
                await self._lead(database, first, reader, writer)
        writer.close()

    async def _lead(self, database: str, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if database not in self.databases:
            writer.write(_error(f"no such database: {database}"))
            return
        if database in self.disabled:
            writer.write(_error(f'database "{database}" is disabled'))
            return
        if (held := self._held.get(database)) is not None:
            await held.wait()
        host, port = self.databases[database]
        theirs, out = await asyncio.open_connection(host, port)
        address = str(out.get_extra_info("peername")[0])
        if address != host:
            self.found[host] = address
        server = Server(database, address, port, out, writer)
        self.servers.append(server)
        out.write(first)
        try:
            await asyncio.wait(
                [asyncio.ensure_future(_pump(reader, out)), asyncio.ensure_future(_pump(theirs, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self.servers.remove(server)
            server.ended.set()
            out.close()

    async def _console(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_message(b"R", struct.pack("!i", 0)))
        for name, value in (("server_version", "1.25.0/bouncer"), ("client_encoding", "UTF8"), ("standard_conforming_strings", "on")):
            writer.write(_message(b"S", _text(name) + _text(value)))
        writer.write(_message(b"Z", b"I"))
        while True:
            kind, size = struct.unpack("!ci", await reader.readexactly(5))
            body = await reader.readexactly(size - 4)
            if kind == b"X":
                return
            if kind == b"Q":
                writer.write(await self._did(body.rstrip(b"\0").decode().strip().rstrip(";")) + _message(b"Z", b"I"))

    async def _did(self, command: str) -> bytes:
        verb, _, name = command.partition(" ")
        verb, name = verb.upper(), name.strip().strip('"')
        if verb == "SHOW":
            return self._shown(name.upper(), command)
        if verb == "RELOAD":
            self.reload()
            return _message(b"C", _text(verb))
        if verb not in ("KILL", "PAUSE", "RESUME", "DISABLE", "ENABLE"):
            return _error(f"invalid command '{command}', use SHOW HELP;")
        if name not in self.databases:
            return _error(f"no such database: {name}")
        if (verb == "RESUME") != (name in self._held) and verb in ("RESUME", "PAUSE"):
            return _error(f"database {name} is {'not' if verb == 'RESUME' else 'already'} paused")
        await self._do(verb, name)
        return _message(b"C", _text(verb))

    async def _do(self, verb: str, name: str) -> None:
        match verb:
            case "RESUME":
                self._held.pop(name).set()
            case "DISABLE":
                self.disabled.add(name)
            case "ENABLE":
                self.disabled.discard(name)
            case _:
                self._held.setdefault(name, asyncio.Event())
                for server in [one for one in self.servers if one.database == name]:
                    if verb == "PAUSE":
                        await server.ended.wait()
                        continue
                    server.writer.transport.abort()
                    server.client.transport.abort()

    def _shown(self, what: str, command: str) -> bytes:
        match what:
            case "DATABASES":
                flags = [(name, str(int(name in self._held)), str(int(name in self.disabled))) for name in self.databases]
                rows = [(name, self.databases[name][0], str(self.databases[name][1]), paused, off) for name, paused, off in flags]
                return _table(("name", "host", "port", "paused", "disabled"), rows)
            case "SERVERS":
                return _table(("database", "addr", "port"), [(one.database, one.host, str(one.port)) for one in self.servers])
            case "DNS_HOSTS":
                return _table(("hostname", "ttl", "addrs"), [(host, "15", f"{address}:0") for host, address in self.found.items()])
            case "VERSION":
                return _table(("version",), [("PgBouncer 1.25.0",)])
            case _:
                return _error(f"invalid command '{command}', use SHOW HELP;")


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The first message of a client; encryption is refused, it is loopback."""
    while True:
        size = await reader.readexactly(4)
        body = await reader.readexactly(struct.unpack("!i", size)[0] - 4)
        if struct.unpack("!i", body[:4])[0] != SSL:
            return size + body
        writer.write(b"N")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _error(text: str) -> bytes:
    return _message(b"E", b"S" + _text("ERROR") + b"V" + _text("ERROR") + b"C" + _text("08P01") + b"M" + _text(text) + b"\0")


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> bytes:
    described = b"".join(_text(name) + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for name in columns)
    out = _message(b"T", struct.pack("!h", len(columns)) + described)
    for row in rows:
        cells = b"".join(struct.pack("!i", len(cell.encode())) + cell.encode() for cell in row)
        out += _message(b"D", struct.pack("!h", len(row)) + cells)
    return out + _message(b"C", _text(f"SHOW {len(rows)}"))
