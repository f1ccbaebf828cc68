"""MLflow 3's model registry (mlflow.org/docs/latest/rest-api): aliases of registered models. Prompts and guard chains are kept as such too.

To set an alias is state-setting: twice is once. It has no versions: a late write is told from a new one by nothing. An alias that is not there is
400 INVALID_PARAMETER_VALUE, a model or version that is not there 404.
"""

from typing import Any

from activities.action import Call, NotYet, Refused
from activities.kit.http import NOT_FOUND, HttpClient, outcome
from activities.kit.setting.write import SOON

ALIAS = "/api/2.0/mlflow/registered-models/alias"
VERSION = "/api/2.0/mlflow/model-versions/get"
INVALID = 400


class Mlflow:
    """The registry of one MLflow server."""

    def __init__(self, mlflow: HttpClient) -> None:
        self._http = mlflow

    async def version(self, call: Call, name: str, alias: str) -> int:
        """Raises `Refused` where there is no such model or alias: nobody can say then what serves."""
        said = await self._http.ask(call, "GET", ALIAS, params={"name": name, "alias": alias})
        if said.status_code in (INVALID, NOT_FOUND):
            raise Refused(f"MLflow has no alias {alias} on {name}: {_message(said)}")
        return _number(outcome(said).json()["model_version"]["version"], name)

    async def move(self, call: Call, name: str, alias: str, version: int) -> None:
        """Set an alias, and see it on the version itself. Raises `NotYet` when it does not show there."""
        await self._http.write(call, "POST", ALIAS, json={"name": name, "alias": alias, "version": str(version)})
        said = (await self._http.read(call, VERSION, name=name, version=str(version))).json()["model_version"]
        if alias not in said.get("aliases", []):
            raise NotYet(f"accepted, but version {version} of {name} does not carry the alias {alias}", after=SOON)

    async def alive(self, call: Call) -> str:
        """What its health check says."""
        return (await self._http.read(call, "/health")).text


def _number(version: Any, name: str) -> int:
    text = str(version)
    if not (text.isascii() and text.isdigit() and int(text)):
        raise Refused(f"MLflow says that {name} is at version {text[:40]!r}, which is no number")
    return int(text)


def _message(said: Any) -> str:
    try:
        return str(said.json().get("message", ""))[:200]
    except ValueError:
        return str(said.status_code)
