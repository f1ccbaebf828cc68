"""`/openai`: of OpenAI's administration API (platform.openai.com/docs/api-reference), keys and service accounts of a project; and `/models`.

A service account is made with its key, whose value is shown once. Its key cannot be deleted: the service account is. Nothing has a request id.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from practice.credentials.cast import credentials
from practice.credentials.keys import make, revoke
from practice.credentials.model import OPENAI, Credentials, Key
from practice.http.face import TOKEN, Ask, Call, Face, Refusal, Reply
from practice.world.state import JSON


def _error(status: int, message: str, kind: str = "invalid_request_error") -> Reply:
    return Reply({"error": {"message": message, "type": kind, "param": None, "code": None}}, status)


FACE = Face(
    "openai",
    refused=_error,
    invalid=lambda problems: _error(400, "; ".join(problems)),
    unauthorised=lambda headers: _error(401, "Incorrect API key provided."),
    throttled=lambda: _error(429, "Rate limit reached.", "rate_limit_error"),
)
OF = "/openai/v1/organization/projects/{project}"


class MakeAccount(Ask):
    name: str = Field(min_length=1, max_length=300)


def _there(call: Call) -> Credentials:
    return credentials(call.state, call.now)


def _keys(call: Call) -> list[Key]:
    """Those that are alive: a deleted one is not listed any more."""
    found = [one for one in _there(call).keys.values() if one.issuer == OPENAI and one.subject == call.path["project"]]
    if not found:
        raise call.refuse(404, f"Project {call.path['project']} was not found.")
    return [one for one in found if one.revoked is None]


def _page(call: Call, rows: list[JSON]) -> Reply:
    limit, after = int(call.one("limit", "20")), call.one("after")
    start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0) if after else 0
    shown = rows[start : start + limit]
    first, last = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return Reply({"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": start + limit < len(rows)})


@FACE.reads("api_keys.list", OF + "/api_keys")
def keys(call: Call) -> Reply:
    return _page(call, [_key(call, one) for one in _keys(call)])


@FACE.reads("api_keys.get", OF + "/api_keys/{key}")
def key(call: Call) -> Reply:
    found = next((one for one in _keys(call) if one.id == call.path["key"]), None)
    if found is None:
        raise call.refuse(404, f"No such API key: {call.path['key']}")
    return Reply(_key(call, found))


@FACE.writes("api_keys.delete", OF + "/api_keys/{key}", "DELETE")
def delete_key(call: Call) -> Reply:
    """A key of a user. That of a service account goes with its account."""
    found = next((one for one in _keys(call) if one.id == call.path["key"]), None)
    if found is None:
        raise call.refuse(404, f"No such API key: {call.path['key']}")
    if found.label.startswith("svc:"):
        raise call.refuse(400, "API keys of service accounts cannot be deleted: delete the service account.")
    revoke(_there(call), call.state.fleet, found, call.now)
    call.did(f"openai/{found.id}", False, True)
    return Reply({"object": "organization.project.api_key.deleted", "id": found.id, "deleted": True})


@FACE.reads("service_accounts.list", OF + "/service_accounts")
def accounts(call: Call) -> Reply:
    return _page(call, [_account(call, one) for one in _keys(call) if one.label.startswith("svc:")])


@FACE.writes("service_accounts.create", OF + "/service_accounts")
def create(call: Call) -> Reply:
    """Two with one name are two."""
    wanted = call.ask(MakeAccount)
    _keys(call)
    found = make(_there(call), call.world.number(), OPENAI, call.path["project"], f"svc:{wanted.name}", ["model.request"], call.now)
    call.did(f"openai/{call.path['project']}/service_accounts", None, found.id)
    shown = {"object": "organization.project.service_account.api_key", "value": found.value, "name": "Secret Key", "id": found.id}
    return Reply({**_account(call, found), "api_key": {**shown, "created_at": int(call.real())}})


@FACE.writes("service_accounts.delete", OF + "/service_accounts/{account}", "DELETE")
def delete_account(call: Call) -> Reply:
    """With its key."""
    found = next((one for one in _keys(call) if f"sa_{one.id}" == call.path["account"]), None)
    if found is None:
        raise call.refuse(404, f"No such service account: {call.path['account']}")
    revoke(_there(call), call.state.fleet, found, call.now)
    call.did(f"openai/{found.id}", False, True)
    return Reply({"object": "organization.project.service_account.deleted", "id": call.path["account"], "deleted": True})


@FACE.reads("models.list", "/openai/v1/models", public=True)
def models(call: Call) -> Reply:
    """What a key lets in to: it is what a negative test asks."""
    there, shown = _there(call), call.headers.get("authorization", "").removeprefix("Bearer ")
    found = there.by_value(shown)
    if shown != TOKEN and (found is None or found.issuer != OPENAI or not there.lets_in(found)):
        raise Refusal(_error(401, "Incorrect API key provided: sk-***."))
    return Reply({"object": "list", "data": []})


def _account(call: Call, one: Key) -> JSON:
    return {
        "object": "organization.project.service_account", "id": f"sa_{one.id}", "name": one.label.removeprefix("svc:"), "role": "member",
        "created_at": int(call.world.clock.to_real(one.made)),
    }  # fmt: skip


def _key(call: Call, one: Key) -> JSON:
    owner: dict[str, Any] = {"type": "user", "user": {"id": "user_1", "name": one.label}}
    if one.label.startswith("svc:"):
        owner = {"type": "service_account", "service_account": {"id": f"sa_{one.id}", "name": one.label.removeprefix("svc:")}}
    used = max(one.uses.values(), default=None)
    return {
        "object": "organization.project.api_key", "id": one.id, "name": one.label, "redacted_value": f"{one.value[:8]}***{one.value[-4:]}",
        "created_at": int(call.world.clock.to_real(one.made)), "last_used_at": int(call.world.clock.to_real(used)) if used else None,
        "owner": owner,
    }  # fmt: skip
