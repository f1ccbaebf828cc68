"""Failover on a real PostgreSQL, with the worker killed at a random step: what must never be so is counted from outside.

`python -m benchmarks.failover [RUNS] [FIRST]`: each run is of its own seed, half a minute each. From seed 1 on it writes `docs/performance.md`.
"""

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from temporalio.client import Client

from activities.ledger.database import LedgerDown
from activities.ledger.ledger import Ledger
from benchmarks.page import filled
from practice.stores.replicated import Replicated, replicated
from starters import steering
from starters.gameday.cast import Cast
from starters.gameday.scenario import Options
from starters.gameday.stage import TOKEN, Stage, raise_stage
from workflows.status import Status

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- failover: written by `python -m benchmarks.failover` -->", "<!-- failover: end -->"
SERVICES = ("api", "orchestrator")
WITHIN = 150.0  # real seconds that a run may take
LAST_STEP = 16  # before the promotion is done
BREAKS = ("crash", "hang", "cut", "behind")


@dataclass
class Run:
    """What became of one. `closed`: seconds without a write; `wrong`: what must never be so; `killed`: at which step."""

    seed: int
    how: str
    killed: str
    closed: float
    lost: int
    acknowledged: int
    samples: int
    wrong: list[str]

    def __str__(self) -> str:
        wrong = "; ".join(self.wrong) or "nothing wrong"
        counted = f"{self.lost} of {self.acknowledged} acknowledged writes lost, all announced, {self.samples} samples"
        return f"seed {self.seed}: {self.how}, {self.killed}: {self.closed:.0f} s without a write, {counted}: {wrong}"


class Gate:
    """The gate of the application, as the product is let through: it is asked ten times a second."""

    def __init__(self, url: str) -> None:
        self._http, self._known, self._at = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}), True, 0.0

    def __call__(self) -> bool:
        if time.monotonic() - self._at > 0.1:
            self._known = self._http.get("/platform/v1/services/api/write-gate").raise_for_status().json()["admitted"] > 0
            self._at = time.monotonic()
        return self._known


async def run(seed: int) -> Run:
    chance = random.Random(seed)
    how, at_step = chance.choice(BREAKS), chance.randint(2, LAST_STEP)
    with tempfile.TemporaryDirectory() as home, replicated(Path(home) / "real") as real:
        secret = Path(home) / "password"
        secret.write_text(TOKEN)
        told = (("postgres_clusters", str(real.inventory)), ("postgres_password", f"file:{secret}"))
        options = Options(
            "database_failover", "auto", "worker", 1, keep=False, pace=120.0, seed=7, systems=(("database", "postgresql"),), settings=told
        )
        stage = await asyncio.to_thread(raise_stage, Path(home) / "stage", options, SERVICES)
        try:
            return await _played(seed, how, at_step, real, stage)
        finally:
            stage.processes.stop_all()


async def _played(seed: int, how: str, at_step: int, real: Replicated, stage: Stage) -> Run:
    real.admitted = Gate(str(stage.practice.base_url))
    real.live()
    client: Client = await steering.connect(stage.settings)
    real.breaks(how)
    broken = time.time()
    incident = f"inc-20261130-seed-{seed}"
    given = {"service": "api", "labels": {"cluster": "main"}, "confidence": 1.0}
    await client.start_workflow("DatabaseFailover", given, id=incident, task_queue=stage.settings.task_queue(2))
    killed = await _until_it_writes_again(real, stage, Cast(stage, client), Ledger(stage.settings.ledger_url), at_step)
    losing_after = await _announced(client, incident)
    wrong = await asyncio.to_thread(real.judged, losing_after)
    first = next((at for _, at in real.acknowledged if at > real.fencer.at.get("db-1", broken)), time.time())
    return Run(seed, how, killed, first - broken, real.lost(), len(real.acknowledged), len(real.samples), wrong)


async def _until_it_writes_again(real: Replicated, stage: Stage, cast: Cast, ledger: Ledger, at_step: int) -> str:
    """Play the people, kill the worker once. Returns where it was killed. Raises `TimeoutError`."""
    deadline, killed = time.monotonic() + WITHIN, ""
    while time.monotonic() < deadline:
        try:
            found = ledger.incidents(open_only=False)
        except LedgerDown:
            found = []
        if found:
            status = Status.model_validate(found[0].status)
            if not killed and len(status.steps) >= at_step:
                killed = f"worker killed at step {len(status.steps)} ({status.steps[-1].verb})"
                stage.processes.kill("worker")
                await asyncio.to_thread(stage.restart, "worker")
            await cast.play(status)
        if killed and real.samples[-1].writers == ("db-2",) and _written_since(real):
            return killed
        await asyncio.sleep(0.05)
    raise TimeoutError(f"nothing was written again within {WITHIN:g} s; {killed or 'not killed'}\n{stage.processes.tail('worker')}")


def _written_since(real: Replicated) -> bool:
    fenced = real.fencer.at.get("db-1")
    return fenced is not None and sum(at > fenced for _, at in real.acknowledged[-10:]) > 5


async def _announced(client: Client, incident: str) -> float:
    """From when on acknowledged writes may be lost, by the order that people have agreed to."""
    history = await client.get_workflow_handle(incident).fetch_history()
    orders = [
        json.loads(event.activity_task_scheduled_event_attributes.input.payloads[0].data)
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "databases.promote"
    ]
    return datetime.fromisoformat(orders[-1]["losing_after"]).timestamp()


def main() -> None:
    runs, first = (int(word) for word in (*sys.argv[1:], *("20", "1")[len(sys.argv) - 1 :]))
    found = []
    for seed in range(first, first + runs):
        found.append(asyncio.run(run(seed)))
        print(found[-1], flush=True)
    closed, wrong = [one.closed for one in found], sum(bool(one.wrong) for one in found)
    watched, lost, all_of = (sum(one) for one in zip(*((one.samples, one.lost, one.acknowledged) for one in found), strict=True))
    said = (
        f"{runs} seeded runs, the worker killed in each: {watched} samples, {wrong} runs with anything wrong (two writers, a writer between "
        f"fence and promotion, a promotion before the fence, a write lost that was not announced); {lost} of {all_of} acknowledged writes lost, "
        f"all within what was announced; without a write p50 {statistics.median(closed):.0f} s, worst {max(closed):.0f} s, with people who "
        f"answer at once"
    )
    print(said)
    if first == 1 and not wrong:
        PAGE.write_text(filled(PAGE.read_text(), BEGIN, END, said))
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
