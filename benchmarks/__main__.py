"""`make bench`: measure both sides in turns, on one server, and write the ratios to `docs/performance.md`. Linux, under five minutes."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from activities.ledger.ledger import Ledger
from benchmarks.floor import ByHand
from benchmarks.page import Figure, write
from benchmarks.serve import QUEUES, settings
from benchmarks.steps import APPROVED, MITIGATION, StepFile
from starters.gameday.processes import Processes, free_ports, tool
from starters.gameday.stage import SERVER
from worker import process
from worker.converter import connect
from workflows.engine.record.recorder import ATTRIBUTES
from workflows.incident import Incident

ORGANISATION = """
[policy]
mode = "live"
verified_from = 3
[people.dana]
roles = ["incident_commander"]
pager = "P1"
[people.lee]
roles = ["ops_lead"]
pager = "P2"
"""
WITHIN = 180.0  # seconds that one phase may take
SIDES = ("floor", "ours")


@dataclass
class Run:
    """One incident of one side. Seconds from its declaration, or from the approval."""

    mitigated: float
    asked: float
    approved: float
    cpu: float
    events: int
    size: int

    @property
    def whole(self) -> float:
        return self.asked + self.approved


@dataclass
class Bench:
    folder: Path
    address: str
    client: Client
    processes: Processes
    counted: int = 0
    file: StepFile = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.file, self.ledger = StepFile(self.folder / "steps.tsv"), Ledger(f"sqlite:///{self.folder / 'ledger.db'}")

    async def start(self, side: str) -> WorkflowHandle[Any, Any]:
        self.counted += 1
        name, queue = f"{side}-{self.counted}", QUEUES[side]
        if side == "floor":
            return await self.client.start_workflow(ByHand.run, "chat", id=name, task_queue=queue)
        return await self.client.start_workflow("ThirteenSteps", Incident(service="chat"), id=name, task_queue=queue)

    async def approve(self, side: str, handle: WorkflowHandle[Any, Any]) -> None:
        said = "lee" if side == "floor" else {"question": 1, "by": "dana"}
        await handle.signal("approve", said)

    def at(self, name: str, step: str) -> float | None:
        return next((one.at for one in self.file.taken() if one.incident == name and one.step == step), None)

    def asked(self, side: str, name: str) -> float | None:
        """When its question is there. The floor waits as soon as its last step of mitigation is taken."""
        if side == "floor":
            return self.at(name, MITIGATION[-1])
        known = self.ledger.status(name)
        return time.monotonic() if known and any(q["state"] == "open" for q in known.status.get("questions") or []) else None  # type: ignore[union-attr,index,call-overload]

    def waiting(self, side: str) -> int:
        """How many of a side wait for a person."""
        if side == "floor":
            return sum(one.incident.startswith("floor") and one.step == MITIGATION[-1] for one in self.file.taken())
        return sum(any(q["state"] == "open" for q in known.status.get("questions") or []) for known in self.ledger.incidents())  # type: ignore[union-attr,index,call-overload]

    def cpu(self, side: str) -> float:
        """Processor seconds of a worker so far, with the kernel's for it."""
        fields = Path(f"/proc/{self.processes.pids()[side]}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, side: str) -> float:
        """KiB of a worker: its own, and its share of what it shares."""
        lines = Path(f"/proc/{self.processes.pids()[side]}/smaps_rollup").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))

    async def one(self, side: str) -> Run:
        """One incident alone, from its declaration to its last step."""
        cpu, began = self.cpu(side), time.monotonic()
        handle = await self.start(side)
        asked = await until(lambda: self.asked(side, handle.id), "the question")
        said = time.monotonic()
        await self.approve(side, handle)
        ended = await until(lambda: self.at(handle.id, APPROVED[-1]), "the last step")
        await asyncio.wait_for(handle.result(), WITHIN)
        described = await handle.describe()
        mitigated = self.at(handle.id, MITIGATION[0])
        assert mitigated is not None  # noqa: S101 - the last step comes after it
        size = described.raw_description.workflow_execution_info.history_size_bytes
        return Run(mitigated - began, asked - began, ended - said, self.cpu(side) - cpu, described.history_length, size)

    async def together(self, side: str, number: int) -> tuple[float, list[WorkflowHandle[Any, Any]]]:
        """Declare many at once; the seconds until all of them wait for a person."""
        before, began = self.waiting(side), time.monotonic()
        handles = await asyncio.gather(*(self.start(side) for _ in range(number)))
        await until(lambda: self.waiting(side) >= before + number or None, f"{number} questions of {side}", pause=0.1)
        return time.monotonic() - began, list(handles)


async def until(look: Callable[[], Any], what: str, pause: float = 0.002) -> Any:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if (seen := look()) is not None:
            return seen
        await asyncio.sleep(pause)
    raise TimeoutError(f"waited {WITHIN:g} s for {what}")


async def measure(bench: Bench, rounds: int, parked: int, storm: int) -> list[Figure]:
    for side in SIDES:
        await bench.one(side)  # imports and caches are warm afterwards
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    for n in range(rounds):
        for side in SIDES if n % 2 else SIDES[::-1]:
            runs[side].append(await bench.one(side))
    floor, ours = runs["floor"], runs["ours"]

    def figure(what: str, unit: str, goal: float | None, of: Callable[[Run], float]) -> Figure:
        return Figure(what, unit, [of(run) for run in floor], [of(run) for run in ours], goal)

    figures = [
        figure("declare → first step of mitigation", "ms", 2.4, lambda run: run.mitigated * 1000),
        figure("end to end, without the wait for the person", "ms", 1.9, lambda run: run.whole * 1000),
        figure("processor time of the worker", "ms", 3, lambda run: run.cpu * 1000),
        Figure("events in the history", "", [run.events for run in floor], [run.events for run in ours], goal_ours=180),
        figure("size of the history", "KiB", None, lambda run: run.size / 1024),
    ]
    kept: dict[str, list[float]] = {}
    for side in SIDES:
        before = bench.memory(side)
        _, handles = await bench.together(side, parked)
        kept[side] = [(bench.memory(side) - before) / parked]
        await asyncio.gather(*(handle.terminate("measured") for handle in handles))
    figures.append(Figure("memory of a parked incident in the worker", "KiB", kept["floor"], kept["ours"], goal_ours=700))
    lasted = {side: (await bench.together(side, storm))[0] for side in SIDES}
    figures.append(Figure(f"{storm} declared at once → all wait for a person", "s", [lasted["floor"]], [lasted["ours"]], goal_ours=60))
    return figures


async def run(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "organisation.toml").write_text(ORGANISATION)
        processes = Processes(folder / "logs", {"PYTHONUNBUFFERED": "1"})
        try:
            bench = await _up(folder, processes)
            figures = await measure(bench, given.rounds, given.parked, given.storm)
        except BaseException:
            for one in SIDES:
                print(processes.tail(one, 5), file=sys.stderr)
            raise
        finally:
            processes.stop_all()
    write(figures, given.page)


async def _up(folder: Path, processes: Processes) -> Bench:
    port, http = free_ports(2)
    kinds = [f"--search-attribute={one.name}={'Bool' if one.value_type is bool else 'Keyword'}" for one in ATTRIBUTES]
    command = [
        tool("temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--http-port", str(http), "--headless",
        "--db-filename", str(folder / "temporal.db"), "--log-level", "error", *kinds, *SERVER,
    ]  # fmt: skip
    processes.start("temporal", command)
    address = f"127.0.0.1:{port}"
    client = await _connected(address, folder)
    for side in SIDES:
        processes.start(side, [sys.executable, "-m", "benchmarks.serve", side, str(folder), address])
        processes.wait_for(side, lambda side=side: processes.log_says(side, "ready"))  # type: ignore[misc]
    return Bench(folder, address, client, processes)


async def _connected(address: str, folder: Path) -> Client:
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            client = await connect(settings(folder, address))
            await client.count_workflows()
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return client


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="incidents of each side, one at a time, in turns")
    parser.add_argument("--parked", type=int, default=60, help="incidents that wait for a person, for their memory")
    parser.add_argument("--storm", type=int, default=200, help="incidents that are declared at once")
    parser.add_argument("--page", type=Path, default=None, help="the page to write the table to; printed in any case")
    given = parser.parse_args()
    process.run("bench", lambda: run(given))


if __name__ == "__main__":
    main()
