"""A runner of eval suites behind our own contract (docs/practice-platform.md, Evals)."""

from typing import Any

from activities.action import Call
from activities.evals.evals import Ran, Suite
from activities.kit.http import HttpClient
from activities.kit.operation import At
from activities.kit.rest import RestClient
from activities.kit.words.urls import path

STATES = {"running": At.RUNNING, "done": At.DONE, "failed": At.FAILED}


class EvalsApi(RestClient):
    """`/evals`: a run is asked for by POST under a key of ours; the same key again is the same run."""

    def __init__(self, evals: HttpClient) -> None:
        super().__init__(evals)

    async def suites(self, call: Call) -> tuple[Suite, ...]:
        return tuple(Suite.model_validate(row) for row in (await self.get(call, "/v1/suites"))["suites"])

    async def find(self, call: Call, key: str) -> str | None:
        found = (await self.get(call, "/v1/runs", key=key))["runs"]
        return str(found[0]["id"]) if found else None

    async def start(self, call: Call, key: str, suite: str, triple: str) -> str:
        said = await self._http.write(call, "POST", "/v1/runs", json={"key": key, "suite": suite, "triple": triple})
        return str(said.json()["id"])

    async def ran(self, call: Call, id: str) -> Ran:
        return _ran(await self.get(call, path("v1", "runs", id)))


def _ran(said: dict[str, Any]) -> Ran:
    told = {name: said.get(name) for name in ("suite", "n", "passed", "critical_failures", "ran_at", "ran_on")}
    score = said.get("score")
    number = float(score) if score is not None else None  # "NaN" is what a runner says that could not judge
    return Ran(id=str(said["id"]), state=STATES.get(str(said.get("state")), At.UNKNOWN), why=str(said.get("why", "")), score=number, **told)
