"""A real Celery on the real Valkey, in a virtual environment of its own: Celery and the client of Kubernetes cannot be resolved together."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from practice.stores import valkey
from practice.stores.valkey import PASSWORD

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-celery"
STARTS_WITHIN = 30.0


@cache
def python() -> Path:
    """The interpreter of that environment; made when the first test wants it. Skips, and says why, where it cannot be made."""
    found = HOME / "bin" / "python"
    if not (HOME / "bin" / "celery").exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, capture_output=True, timeout=120)
            install = [str(found), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(ROOT / "requirements" / "celery.txt")]
            subprocess.run(install, check=True, capture_output=True, timeout=240)
        except (subprocess.SubprocessError, OSError) as broke:
            said = getattr(broke, "stderr", b"") or b""
            pytest.skip(f"Celery cannot be installed into .venv-celery (make celery): {broke} {said[-300:].decode(errors='replace')}")
    return found


@dataclass
class RealCelery:
    """Workers on a broker. Names are `one@here`, `two@here`."""

    server: valkey.Valkey
    processes: dict[str, subprocess.Popen[bytes]]
    folder: Path

    @property
    def broker(self) -> str:
        return f"redis://{valkey.PRODUCT}:{PASSWORD}@127.0.0.1:{self.server.port}/0"

    def address(self) -> str:
        return self.server.address(valkey.PRODUCT)

    def start(self, name: str, *queues: str) -> None:
        """One worker with two threads, which takes jobs of these queues."""
        words = [
            str(python()), "-m", "celery", "-A", "celery_app", "worker", "-n", name, "-Q", ",".join(queues), "-c", "2", "-P", "threads",
            "--without-gossip", "--without-mingle", "-l", "WARNING",
        ]  # fmt: skip
        log = (self.folder / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(
            words, cwd=ROOT / "tests/stores", env={**os.environ, "BROKER": self.broker}, stdout=log, stderr=log
        )

    def produce(self, queue: str, count: int, seed: int, retries: int = 0, age: float = 0.0, seconds: float = 0.02) -> list[str]:
        """Enqueue jobs by Celery itself. Their ids."""
        words = [str(python()), "celery_app.py", queue, str(count), str(seed), str(retries), str(age), str(seconds)]
        said = subprocess.run(
            words, cwd=ROOT / "tests/stores", env={**os.environ, "BROKER": self.broker}, check=True, capture_output=True, timeout=60
        )
        ids: list[str] = json.loads(said.stdout)
        return ids

    def done(self) -> list[str]:
        """The ids of what was done, as often as it was."""
        with self.server.client() as client:
            return [str(one) for one in client.lrange("done", 0, -1)]

    def depth(self, queue: str) -> int:
        with self.server.client() as client:
            return int(client.llen(queue))

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(10)


@contextlib.contextmanager
def real_celery(folder: Path, **workers: tuple[str, ...]) -> Iterator[RealCelery]:
    """A broker of its own, and these workers on it: `one=("interactive",)`."""
    python()
    with valkey.running() as server:
        found = RealCelery(server, {}, folder)
        try:
            for name, queues in workers.items():
                found.start(f"{name}@here", *queues)
            yield found
        finally:
            found.stop()


def until(look: Any, what: str, within: float = STARTS_WITHIN) -> Any:
    """Look until there is something, or fail with what it was."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited {within:g} s for {what}")
