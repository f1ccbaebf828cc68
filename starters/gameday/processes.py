"""The processes of a game day: real servers on loopback, each with its log, stopped in reverse order whatever happens."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

START_WITHIN = 60.0  # seconds
STOP_WITHIN = 8.0


class DidNotStart(Exception):
    """A process that was needed ended, or never became ready; the message says where its log is."""


def free_ports(count: int) -> list[int]:
    """Different ports on loopback that nobody has now.

    Below 32768, where Linux and macOS take no port for an outgoing call: a port that the kernel would choose can be taken by any
    call of a neighbour before the server that it is for has started.
    """
    found: list[int] = []
    chance = random.SystemRandom()
    while len(found) < count:
        port = chance.randrange(15_000, 32_000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            found += [port] * (port not in found)
    return found


@dataclass
class Processes:
    logs: Path
    environment: Mapping[str, str]
    folder: Path | None = None  # where they run; None: where we do
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _commands: dict[str, Sequence[str]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._commands[name] = command
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                list(command),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                cwd=self.folder,
                start_new_session=True,
            )

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a process is ready. Raises `DidNotStart`."""
        deadline = time.monotonic() + START_WITHIN
        while not ready():
            ended = self._running[name].poll()
            if ended is not None or time.monotonic() > deadline:
                why = f"ended with {ended}" if ended is not None else f"was not ready within {START_WITHIN:g} s"
                raise DidNotStart(f"{name} {why}; its log: {self.logs / f'{name}.log'}\n{self.tail(name)}")
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        _signal(self._running[name], signal.SIGKILL)
        self._running[name].wait()

    def restart(self, name: str) -> None:
        self.start(name, self._commands[name])

    def tail(self, name: str, lines: int = 15) -> str:
        log = self.logs / f"{name}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def log_says(self, name: str, text: str) -> bool:
        log = self.logs / f"{name}.log"
        return log.exists() and text in log.read_text(errors="replace")

    def pids(self) -> dict[str, int]:
        """Who is running, for a demo that is kept."""
        return {name: process.pid for name, process in self._running.items() if process.poll() is None}

    def stop_all(self) -> None:
        """Latest first: SIGTERM, then SIGKILL."""
        for process in reversed(self._running.values()):
            _signal(process, signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def tool(name: str) -> str:
    """A program that came with our own environment (`temporal`), whatever the PATH says."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name
