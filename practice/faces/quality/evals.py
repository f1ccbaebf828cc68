"""`/evals`: an eval runner behind our own contract. A run is asked for, takes its time, and says when and on what it ran."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from practice.faces.quality.base import simulation_of, triple_of
from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.quality.evals import SUITES, TAKES, EvalRun, Evals
from practice.quality.registry import Registry, said

FACE = own_api("evals", "A runner of eval suites: fixed suites are run on a triple (model, prompt, guard chain).")


class SuiteShown(Shown):
    """A suite. `judged`: by a judge model; otherwise by what people labelled. `critical`: one failed critical case fails it."""

    name: str
    n: int
    baseline: float
    judged: bool
    critical: bool


class Suites(Shown):
    suites: list[SuiteShown]


class Wanted(Ask):
    """Run a suite on a triple (`MODEL/PROMPT/GUARD`). The same key again is the same run."""

    key: str = Field(min_length=1, max_length=300)
    suite: str
    triple: str


class RunShown(Shown):
    """A run. `score`: of 1, null until it is done, "NaN" where the runner has none. `ran_at`, `ran_on`: of what it says, whenever that was."""

    id: str
    key: str
    suite: str
    triple: str
    asked_at: str
    state: Literal["running", "done", "failed"]
    why: str
    score: float | Literal["NaN"] | None
    n: int | None
    passed: int | None
    critical_failures: int | None
    ran_at: str | None
    ran_on: str | None


class Runs(Shown):
    runs: list[RunShown]


class ByKey(Query):
    key: str | None = None


@FACE.reads("suites", "/evals/v1/suites", models=RouteModels(shows=Suites))
def suites(call: Call) -> Reply:
    """The suites that there are."""
    return Reply({"suites": [SuiteShown(**vars(one)).model_dump() for one in SUITES.values()]})


@FACE.writes("runs.start", "/evals/v1/runs", models=RouteModels(asks=Wanted, shows=RunShown))
def start(call: Call) -> Reply:
    """Ask for a run."""
    wanted, runs = call.ask(Wanted), call.state.part(Evals).runs
    if wanted.suite not in SUITES:
        raise call.invalid(f"there is no suite {wanted.suite[:40]}; there are {', '.join(SUITES)}")
    triple = triple_of(call, wanted.triple)
    known = next((one for one in runs.values() if one.key == wanted.key), None)
    found = known or EvalRun(f"eval-{call.world.number()}", wanted.key, wanted.suite, triple, call.now)
    runs[found.id] = found
    call.did(f"suites/{wanted.suite}", None, None if known else found.id)
    return Reply(shown(call, found))


@FACE.reads("runs", "/evals/v1/runs", models=RouteModels(query=ByKey, shows=Runs))
def runs(call: Call) -> Reply:
    """The runs, oldest first; those of one key."""
    key = call.asked(ByKey).key
    return Reply({"runs": [shown(call, one) for one in call.state.part(Evals).runs.values() if key in (None, one.key)]})


@FACE.reads("runs.one", "/evals/v1/runs/{run}", models=RouteModels(shows=RunShown))
def one_run(call: Call) -> Reply:
    """One run, as far as it is."""
    found = call.state.part(Evals).runs.get(call.path["run"])
    if found is None:
        raise call.refuse(404, f"there is no run {call.path['run']}")
    look(call, found)
    return Reply(shown(call, found))


def look(call: Call, run: EvalRun) -> None:
    """Let a run come to its end: after its time, or in a following world at the second look."""
    run.looks += 1
    late = call.now >= run.asked_at + TAKES
    if run.result is None and not run.failed and (late or (call.world.clock.following and run.looks > 1)):
        simulation, serving = simulation_of(call), call.state.part(Registry).serving
        run.result = simulation.evaluate(call.world.rng, call.state, run.suite, run.triple, call.now)
        if run.triple == serving:
            simulation.show(run.suite, serving, run.result)


def shown(call: Call, run: EvalRun) -> dict[str, Any]:
    said_of, result = call.world.clock.stamp, run.result
    done: dict[str, Any] = dict.fromkeys(("score", "n", "passed", "critical_failures", "ran_at", "ran_on"))
    if result:
        done = {
            "score": "NaN" if result.score is None else result.score, "n": result.n, "passed": result.passed,
            "critical_failures": result.critical_failures, "ran_at": said_of(result.ran_at), "ran_on": said(result.triple),
        }  # fmt: skip
    state = "failed" if run.failed else "done" if result else "running"
    return {
        "id": run.id, "key": run.key, "suite": run.suite, "triple": said(run.triple), "asked_at": said_of(run.asked_at), "state": state,
        "why": run.failed, **done,
    }  # fmt: skip
