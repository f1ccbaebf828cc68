"""`/mlflow`, continued: runs of the experiment `evals`, which a job of the company evaluates and fills in."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from typing import Any

from practice.faces.quality.evals import look
from practice.faces.quality.mlflow import API, FACE, parameters
from practice.http.face import Ask, Call, Refusal, Reply
from practice.quality.evals import SUITES, EvalRun, Evals
from practice.quality.registry import read, said
from practice.world.state import JSON

EXPERIMENT, NAME = "1", "evals"
KEY = "incident_playbooks.key"
FILTER = re.compile(r"tags\.`([^`]+)` = '((?:[^'\\]|\\.)*)'")


class CreateRun(Ask):
    experiment_id: str
    start_time: int | None = None
    run_name: str | None = None
    tags: list[dict[str, Any]] | None = None


class SearchRuns(Ask):
    experiment_ids: list[str]
    filter: str | None = None
    max_results: int | None = None


@FACE.reads("experiments.get", API + "/experiments/get-by-name")
def experiment(call: Call) -> Reply:
    name = call.one("experiment_name")
    if name != NAME:
        raise call.refuse(404, f"Could not find experiment with name '{name}'")
    tags = [
        {"key": f"suite.{one.name}", "value": json.dumps({k: v for k, v in asdict(one).items() if k != "name"})} for one in SUITES.values()
    ]
    return Reply({"experiment": {"experiment_id": EXPERIMENT, "name": NAME, "lifecycle_stage": "active", "tags": tags}})


@FACE.writes("runs.create", API + "/runs/create")
def create(call: Call) -> Reply:
    wanted = call.ask(CreateRun)
    tags, runs = parameters(wanted.tags), call.state.part(Evals).runs
    if wanted.experiment_id != EXPERIMENT:
        raise call.refuse(404, f"No Experiment with id={wanted.experiment_id} exists")
    triple, suite = read(tags.get("triple", "")), tags.get("suite", "")
    run = EvalRun(f"{call.world.number():032x}", tags.get(KEY, ""), suite, triple or (0, 0, 0), call.now)
    if triple is None or suite not in SUITES:
        run.failed = "no such suite, or no triple"
    runs[run.id] = run
    call.did(f"experiments/{NAME}", None, run.id)
    return Reply({"run": _shown(call, run)})


@FACE.reads("runs.search", API + "/runs/search", "POST")
def search(call: Call) -> Reply:
    """By one tag; other filters are not understood here."""
    wanted = call.ask(SearchRuns)
    met = FILTER.fullmatch(wanted.filter or "")
    if wanted.filter and met is None:
        raise call.refuse(400, f"Invalid filter '{wanted.filter[:100]}'")
    key = re.sub(r"\\(.)", r"\1", met[2]) if met else None
    found = [run for run in call.state.part(Evals).runs.values() if key is None or (met and met[1] == KEY and run.key == key)]
    return Reply({"runs": [_shown(call, run) for run in found[: wanted.max_results or 1000]]} if found else {})


@FACE.reads("runs.get", API + "/runs/get")
def get(call: Call) -> Reply:
    run = call.state.part(Evals).runs.get(call.one("run_id"))
    if run is None:
        raise Refusal(FACE.refused(404, f"Run with id={call.one('run_id')} not found"))
    if not run.failed:
        look(call, run)
    return Reply({"run": _shown(call, run)})


def _shown(call: Call, run: EvalRun) -> JSON:
    def milliseconds(at: float) -> int:
        return int(call.world.clock.to_real(at) * 1000)

    result = run.result
    info: JSON = {
        "run_id": run.id, "experiment_id": EXPERIMENT, "status": "FAILED" if run.failed else "FINISHED" if result else "RUNNING",
        "start_time": milliseconds(run.asked_at), "lifecycle_stage": "active",
    }  # fmt: skip
    tags = {KEY: run.key, "suite": run.suite, "triple": said(run.triple)}
    metrics: dict[str, float] = {}
    if result:
        info["end_time"] = milliseconds(result.ran_at)
        tags["triple_evaluated"] = said(result.triple)
        score = math.nan if result.score is None else result.score
        metrics = {"score": score, "n": result.n, "passed": result.passed, "critical_failures": result.critical_failures}
    shown = [{"key": name, "value": "NaN" if math.isnan(value) else value, "timestamp": 0, "step": 0} for name, value in metrics.items()]
    return {"info": info, "data": {"metrics": shown, "tags": [{"key": name, "value": value} for name, value in tags.items()]}}
