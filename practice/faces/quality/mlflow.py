"""`/mlflow`: the model registry of MLflow 3 (mlflow.org/docs/latest/rest-api), as far as versions and their aliases go.

Prompts and guard chains are registered models too; a tag says which are prompts. An alias that is not there is 400, not 404.
"""

from __future__ import annotations

from typing import Any

from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.quality.registry import Entry, Registry
from practice.world.state import JSON

CODES = {400: "INVALID_PARAMETER_VALUE", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "RESOURCE_DOES_NOT_EXIST"}


def _refused(status: int, message: str) -> Reply:
    code = CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    return Reply({"error_code": code, "message": message}, status)


FACE = Face(
    "mlflow",
    refused=_refused,
    invalid=lambda problems: _refused(400, "; ".join(problems)),
    unauthorised=lambda headers: _refused(401, "You are not authenticated."),
    throttled=lambda: Reply({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Too many requests"}, 429),
)
API = "/mlflow/api/2.0/mlflow"


class AliasSet(Ask):
    name: str
    alias: str
    version: str


def names(call: Call) -> dict[str, Entry]:
    """Name in the registry → what it is: `chat-model`, `chat-prompt`, `chat-guard`."""
    return {f"{call.state.route.alias}-{part}": entry for part, entry in call.state.part(Registry).entries.items()}


def entry_of(call: Call, name: str) -> Entry:
    found = names(call).get(name)
    if found is None:
        raise Refusal(_refused(404, f"Registered Model with name={name} not found"))
    return found


def version_of(call: Call, name: str, version: str) -> int:
    entry = entry_of(call, name)
    if not (version.isascii() and version.isdigit()):
        raise Refusal(_refused(400, f"Model version must be an integer, got '{version}'"))
    if int(version) not in entry.versions:
        raise Refusal(_refused(404, f"Model Version (name={name}, version={version}) not found"))
    return int(version)


def shown(call: Call, name: str, version: int) -> JSON:
    """A version, as MLflow shows it."""
    entry = entry_of(call, name)
    by, at = entry.versions[version]
    stamp = int((call.world.clock.to_real(call.world.clock.start + at)) * 1000)
    tags: list[JSON] = [{"key": "mlflow.prompt.is_prompt", "value": "true"}] if entry.part == "prompt" else []
    return {
        "name": name, "version": str(version), "creation_timestamp": stamp, "last_updated_timestamp": stamp, "user_id": by,
        "current_stage": "None", "source": f"gs://registry/{name}/{version}", "status": "READY", "tags": tags,
        "aliases": [alias for alias, number in entry.aliases.items() if number == version],
    }  # fmt: skip


@FACE.reads("health", "/mlflow/health", public=True)
def health(call: Call) -> Reply:
    return Reply(text="OK")


@FACE.reads("alias.get", API + "/registered-models/alias")
def alias_get(call: Call) -> Reply:
    name, alias = call.one("name"), call.one("alias")
    entry = entry_of(call, name)
    if alias not in entry.aliases:
        raise Refusal(_refused(400, f"Registered model alias {alias} not found."))
    return Reply({"model_version": shown(call, name, entry.aliases[alias])})


@FACE.writes("alias.set", API + "/registered-models/alias")
def alias_set(call: Call) -> Reply:
    wanted = call.ask(AliasSet)
    version = version_of(call, wanted.name, wanted.version)
    entry = entry_of(call, wanted.name)
    before, entry.aliases[wanted.alias] = entry.aliases.get(wanted.alias), version
    call.did(f"{wanted.name}@{wanted.alias}", before, version)
    return Reply({})


@FACE.reads("versions.get", API + "/model-versions/get")
def version_get(call: Call) -> Reply:
    name = call.one("name")
    return Reply({"model_version": shown(call, name, version_of(call, name, call.one("version")))})


@FACE.reads("models.get", API + "/registered-models/get")
def model_get(call: Call) -> Reply:
    name = call.one("name")
    entry = entry_of(call, name)
    aliases = [{"alias": alias, "version": str(number)} for alias, number in entry.aliases.items()]
    return Reply({"registered_model": {"name": name, "aliases": aliases, "latest_versions": [shown(call, name, entry.newest)]}})


def parameters(given: list[dict[str, Any]] | None) -> dict[str, str]:
    """Tags, metrics or parameters as a mapping."""
    return {str(one.get("key", "")): str(one.get("value", "")) for one in given or []}
