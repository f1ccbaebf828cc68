"""The real MLflow server as a judge: our clients speak to it, and our face answers the same questions in the same way.

It is installed only here, starts in half a minute, and leaves children behind: its whole group is ended.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import httpx

from activities.action import Call, Refused
from activities.evals.mlflow_runs import MlflowRuns
from activities.kit.http import HttpClient
from activities.registry.mlflow import Mlflow
from practice.faces.quality.mlflow import API
from practice.world.stage import served
from starters.gameday.processes import free_ports
from tests.judges.verdicts import FAILURES, NO_FAILURE, Judge, Verdict, installed

MLFLOW = "3.17.2"
STARTS_WITHIN = 120.0
REST = API.removeprefix("/mlflow")
ALIAS = f"{REST}/registered-models/alias"
QUESTIONS: tuple[tuple[str, str, dict[str, str] | None], ...] = (
    ("GET", f"{ALIAS}?name=chat-prompt&alias=production", None),
    ("GET", f"{ALIAS}?name=chat-prompt&alias=nothing", None),
    ("GET", f"{ALIAS}?name=nothing&alias=production", None),
    ("POST", ALIAS, {"name": "chat-prompt", "alias": "production", "version": "2"}),
    ("POST", ALIAS, {"name": "chat-prompt", "alias": "production", "version": "99"}),
    ("POST", ALIAS, {"name": "nothing", "alias": "production", "version": "1"}),
    ("GET", f"{REST}/model-versions/get?name=chat-prompt&version=2", None),
    ("GET", f"{REST}/model-versions/get?name=chat-prompt&version=99", None),
    ("GET", f"{REST}/experiments/get-by-name?experiment_name=nothing", None),
    ("GET", f"{REST}/runs/get?run_id=00000000000000000000000000000000", None),
)


@contextmanager
def mlflow_server(bin_folder: Path, folder: Path) -> Iterator[str]:
    """The real server, until the block ends."""
    (port,) = free_ports(1)
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [str(bin_folder / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen([*command, *store], cwd=folder, env=quiet, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def _wait(url: str) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        time.sleep(0.5)
    raise TimeoutError(f"MLflow did not answer at {url} within {STARTS_WITHIN:g} s")


async def judged_by_mlflow(bin_folder: Path, folder: Path) -> list[str]:
    """What is wrong; nothing when our clients work on the real server, and our face answers as it does."""
    with mlflow_server(bin_folder, folder) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as real:
            await _furnish(real)
            wrong = await _clients(url)
            async with served() as stage:
                face = httpx.AsyncClient(
                    base_url=f"{stage.url}/mlflow", headers={"Authorization": "Bearer practice-token"}, trust_env=False, timeout=30
                )
                async with face:
                    wrong += [found for one in QUESTIONS if (found := await _differs(one, real, face))]
    return wrong


async def _furnish(real: httpx.AsyncClient) -> None:
    """The registry and the experiment as the practice platform has them, as far as they are asked about."""
    for part in ("model", "prompt", "guard"):
        (await real.post(f"{REST}/registered-models/create", json={"name": f"chat-{part}"})).raise_for_status()
        for version in (1, 2, 3):
            source = {"name": f"chat-{part}", "source": f"gs://registry/{part}/{version}"}
            (await real.post(f"{REST}/model-versions/create", json=source)).raise_for_status()
        (await real.post(ALIAS, json={"name": f"chat-{part}", "alias": "production", "version": "1"})).raise_for_status()
    tags = [{"key": "suite.golden", "value": '{"n": 400, "baseline": 0.96}'}]
    (await real.post(f"{REST}/experiments/create", json={"name": "evals", "tags": tags})).raise_for_status()


async def _clients(url: str) -> list[str]:
    """Our own clients on the real server."""
    call, wrong = Call(incident_id="inc", key="inc/evals.run/it's \\ one/1", at=datetime.now(UTC)), []
    async with HttpClient(url, {}, timeout=30) as http:
        registry, runs = Mlflow(http), MlflowRuns(http, "evals")
        await registry.move(call, "chat-prompt", "production", 3)
        await registry.move(call, "chat-prompt", "production", 3)
        if await registry.version(call, "chat-prompt", "production") != 3:
            wrong.append("an alias that was set does not show")
        for name, alias in (("chat-prompt", "nothing"), ("nothing", "production")):
            try:
                wrong.append(f"{alias} of {name} is version {await registry.version(call, name, alias)}")
            except Refused:
                continue
        if [one.name for one in await runs.suites(call)] != ["golden"]:
            wrong.append("the suites of the experiment are not read")
        wrong += await _runs(call, runs, http)
    return wrong


async def _runs(call: Call, runs: MlflowRuns, http: HttpClient) -> list[str]:
    """A run is found by its key only when it is there, and says what the job wrote."""
    wrong: list[str] = []
    if await runs.find(call, call.key) is not None:
        wrong.append("a run is found that nobody started")
    id = await runs.start(call, call.key, "golden", "6/12/3")
    if await runs.find(call, call.key) != id:
        wrong.append("our run is not found by its key")
    for name, value in {"score": "NaN", "n": 400, "passed": 390, "critical_failures": 0}.items():
        logged = {"run_id": id, "key": name, "value": value, "timestamp": round(time.time() * 1000), "step": 0}
        await http.write(call, "POST", f"{REST}/runs/log-metric", json=logged)
    await http.write(call, "POST", f"{REST}/runs/set-tag", json={"run_id": id, "key": "triple_evaluated", "value": "6/12/3"})
    ended = {"run_id": id, "status": "FINISHED", "end_time": round(time.time() * 1000)}
    await http.write(call, "POST", f"{REST}/runs/update", json=ended)
    ran = await runs.ran(call, id)
    if (ran.n, ran.passed, ran.ran_on, ran.suite) != (400, 390, "6/12/3", "golden") or not isnan(ran.score or 0.0) or ran.ran_at is None:
        wrong.append(f"a run is read as {ran}")
    return wrong


async def _differs(question: tuple[str, str, dict[str, str] | None], real: httpx.AsyncClient, face: httpx.AsyncClient) -> str:
    """How the face answers otherwise: in its status, its error, or in the fields that our clients read."""
    method, path, body = question
    theirs, ours = await asyncio.gather(*(one.request(method, path, json=body) for one in (real, face)))
    if path.startswith(ALIAS) and body and body["version"] == "2":
        ours = await face.request(method, path, json={**body, "version": "10"})
    if "model-versions" in path and "version=2" in path:
        ours = await face.get(path.replace("version=2", "version=10"))
    said = [(one.status_code, one.json().get("error_code"), sorted(_shape(one.json()))) for one in (theirs, ours)]
    missing = set(said[0][2]) & NEEDED - set(said[1][2])
    return f"{method} {path}: MLflow says {said[0]}, our face {said[1]}" if said[0][:2] != said[1][:2] or missing else ""


NEEDED = {"model_version", "name", "version", "aliases", "error_code", "message"}


def _shape(found: Any) -> set[str]:
    """The names of all fields."""
    if isinstance(found, dict):
        return {*found, *(name for one in found.values() for name in _shape(one))}
    return {name for one in found for name in _shape(one)} if isinstance(found, list) else set()


async def run(folder: Path) -> Sequence[Verdict]:
    wrong = await judged_by_mlflow(installed("mlflow", f"mlflow=={MLFLOW}"), folder)
    said = "\n".join(wrong) or "our clients work on it, and our face answers the same questions in the same way"
    judged = f"`/mlflow`, and our clients, by MLflow {MLFLOW}"
    return [Verdict(judged, "mlflow server --workers 1", said, FAILURES if wrong else NO_FAILURE)]


JUDGE = Judge("mlflow", run)
