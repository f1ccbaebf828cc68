"""MLflow evaluation runs (mlflow.org/docs/latest/rest-api): a run in an experiment asks for a suite, and the company's job fills it in.

The experiment's tags name the suites (`suite.golden` = `{"n": 400, "baseline": 0.96}`). We create a run with the tags `suite`, `triple` and
`incident_playbooks.key`, a hash of our key. The job that watches the experiment logs the metrics `score`, `n`, `passed`, `critical_failures`
and the tag `triple_evaluated`, and ends the run.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from activities.action import Call, Refused
from activities.evals.evals import Ran, Suite
from activities.kit.http import NOT_FOUND, HttpClient, outcome
from activities.kit.operation import At

API = "/api/2.0/mlflow"
KEY, STEP, PREFIX = "incident_playbooks.key", "incident_playbooks.step", "suite."
STATES = {"SCHEDULED": At.RUNNING, "RUNNING": At.RUNNING, "FINISHED": At.DONE, "FAILED": At.FAILED, "KILLED": At.FAILED}
Json = dict[str, Any]


class MlflowRuns:
    """One experiment of an MLflow server."""

    def __init__(self, mlflow: HttpClient, experiment: str) -> None:
        self._http, self._experiment = mlflow, experiment

    async def suites(self, call: Call) -> tuple[Suite, ...]:
        tags = _pairs((await self._found(call)).get("tags"))
        return tuple(_suite(name.removeprefix(PREFIX), value) for name, value in tags.items() if name.startswith(PREFIX))

    async def find(self, call: Call, key: str) -> str | None:
        """By our key, which stands in a tag of the run."""
        asked = {"experiment_ids": [(await self._found(call))["experiment_id"]], "filter": _tag_is(_hashed(key)), "max_results": 1}
        said = outcome(await self._http.ask(call, "POST", f"{API}/runs/search", json=asked)).json()
        return str(said["runs"][0]["info"]["run_id"]) if said.get("runs") else None

    async def start(self, call: Call, key: str, suite: str, triple: str) -> str:
        tags = {KEY: _hashed(key), STEP: key, "suite": suite, "triple": triple}
        body = {
            "experiment_id": (await self._found(call))["experiment_id"], "start_time": round(call.at.timestamp() * 1000),
            "tags": [{"key": name, "value": value} for name, value in tags.items()],
        }  # fmt: skip
        said = await self._http.write(call, "POST", f"{API}/runs/create", json=body)
        return str(said.json()["run"]["info"]["run_id"])

    async def ran(self, call: Call, id: str) -> Ran:
        run = (await self._http.read(call, f"{API}/runs/get", run_id=id)).json()["run"]
        info, metrics, tags = run["info"], _pairs(run["data"].get("metrics")), _pairs(run["data"].get("tags"))
        end = info.get("end_time")
        return Ran(
            id=id, suite=tags.get("suite", ""), state=STATES.get(info.get("status", ""), At.UNKNOWN), score=_number(metrics, "score"),
            n=_whole(metrics, "n"), passed=_whole(metrics, "passed"), critical_failures=_whole(metrics, "critical_failures"),
            ran_at=datetime.fromtimestamp(int(end) / 1000, UTC) if end else None, ran_on=tags.get("triple_evaluated"),
        )  # fmt: skip

    async def _found(self, call: Call) -> Json:
        said = await self._http.ask(call, "GET", f"{API}/experiments/get-by-name", params={"experiment_name": self._experiment})
        if said.status_code == NOT_FOUND:
            raise Refused(f"MLflow has no experiment {self._experiment}: set INCIDENT_MLFLOW_EXPERIMENT")
        found: Json = outcome(said).json()["experiment"]
        return found


def _hashed(key: str) -> str:
    """MLflow's filters cannot quote every character that a key may have."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _tag_is(value: str) -> str:
    """A filter of MLflow for our tag."""
    return "".join(("tags.`", KEY, "` = '", value, "'"))


def _suite(name: str, value: str) -> Suite:
    try:
        return Suite(**{"name": name, "judged": True, "critical": False, **json.loads(value)})
    except (ValueError, TypeError) as wrong:
        raise Refused(f"the tag of suite {name} on the MLflow experiment cannot be read: {str(wrong)[:200]}") from wrong


def _pairs(given: Any) -> dict[str, Any]:
    return {str(one["key"]): one.get("value") for one in given or []}


def _number(metrics: dict[str, Any], name: str) -> float | None:
    return float(metrics[name]) if metrics.get(name) is not None else None  # MLflow writes NaN as a text


def _whole(metrics: dict[str, Any], name: str) -> int | None:
    found = _number(metrics, name)
    return round(found) if found is not None and abs(found) < 1e9 else None
