"""`/litellm`: the management API of the LiteLLM proxy (docs.litellm.ai), as far as limits of keys and teams go. A team is a tenant."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ConfigDict

from practice.agents.budgets import Budgets, Limit
from practice.http.face import Ask, Call, Face, Refusal, Reply
from practice.world.state import JSON

HOUR = "1h"


@dataclass
class Limits:
    """What a key or a team may use, as LiteLLM keeps it."""

    max_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    max_parallel_requests: int | None = None
    blocked: bool = False
    updated_at: str = ""


@dataclass
class Proxy:
    """What the proxy's database holds, by kind and name."""

    held: dict[str, Limits] = field(default_factory=dict)


class KeyUpdate(Ask):
    key: str
    max_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    max_parallel_requests: int | None = None


class TeamUpdate(Ask):
    """A team has no limit of parallel calls: the field is ignored, as the proxy ignores every field that it does not know."""

    model_config = ConfigDict(extra="ignore")

    team_id: str
    max_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None


class OneKey(Ask):
    key: str


class OneTeam(Ask):
    team_id: str


def _refused(status: int, message: str) -> Reply:
    kind = {401: "auth_error", 404: "not_found_error", 429: "throttling_error"}.get(
        status, "bad_request_error" if status < 500 else "internal_error"
    )
    return Reply({"error": {"message": message, "type": kind, "param": "None", "code": str(status)}}, status)


FACE = Face(
    "litellm",
    refused=_refused,
    invalid=lambda problems: Reply({"detail": [{"loc": ["body"], "msg": one, "type": "value_error"} for one in problems]}, 422),
    unauthorised=lambda headers: _refused(401, "Authentication Error, Invalid proxy server token passed."),
    throttled=lambda: _refused(429, "Rate limit reached"),
)


def _limits(call: Call, kind: str, name: str) -> Limits:
    known: Any = call.state.part(Budgets).keys if kind == "key" else call.state.tenants
    if name not in known:
        raise Refusal(_refused(404, f"{'Key' if kind == 'key' else 'Team'} not found, passed {name}"))
    return call.state.part(Proxy).held.setdefault(f"{kind}/{name}", Limits(updated_at=call.stamp()))


def _shown(found: Limits, **more: object) -> JSON:
    return {**asdict(found), "spend": 0.0, "models": [], "metadata": {}, **more}


@FACE.reads("key.info", "/litellm/key/info")
def key_info(call: Call) -> Reply:
    """One key, by its hash. Without one: that of the token itself."""
    name = call.one("key")
    if not name:
        return Reply({"key": "practice", "info": {"key_name": "sk-...", "user_role": "proxy_admin"}})
    found = _limits(call, "key", name)
    return Reply({"key": name, "info": _shown(found, key_name="sk-...", key_alias=name, team_id=None)})


@FACE.reads("team.info", "/litellm/team/info")
def team_info(call: Call) -> Reply:
    name = call.one("team_id")
    found = _limits(call, "team", name)
    shown = _shown(found, team_id=name, team_alias=name)
    shown.pop("max_parallel_requests")
    return Reply({"team_id": name, "team_info": shown, "keys": [], "team_memberships": []})


@FACE.writes("key.update", "/litellm/key/update")
def update_key(call: Call) -> Reply:
    """Change what was given; an explicit null takes a limit away."""
    wanted = call.ask(KeyUpdate)
    return Reply({"key": wanted.key, **_update(call, "key", wanted.key, wanted.model_dump(exclude_unset=True, exclude={"key"}))})


@FACE.writes("team.update", "/litellm/team/update")
def update_team(call: Call) -> Reply:
    wanted = call.ask(TeamUpdate)
    after = _update(call, "team", wanted.team_id, wanted.model_dump(exclude_unset=True, exclude={"team_id"}))
    return Reply({"team_id": wanted.team_id, "data": after})


@FACE.writes("key.block", "/litellm/key/block")
def block_key(call: Call) -> Reply:
    return Reply(_update(call, "key", call.ask(OneKey).key, {"blocked": True}))


@FACE.writes("key.unblock", "/litellm/key/unblock")
def unblock_key(call: Call) -> Reply:
    return Reply(_update(call, "key", call.ask(OneKey).key, {"blocked": False}))


@FACE.writes("team.block", "/litellm/team/block")
def block_team(call: Call) -> Reply:
    return Reply(_update(call, "team", call.ask(OneTeam).team_id, {"blocked": True}))


@FACE.writes("team.unblock", "/litellm/team/unblock")
def unblock_team(call: Call) -> Reply:
    return Reply(_update(call, "team", call.ask(OneTeam).team_id, {"blocked": False}))


def _update(call: Call, kind: str, name: str, changed: JSON) -> JSON:
    found = _limits(call, kind, name)
    before = _kept(found)
    for key, value in changed.items():
        setattr(found, key, value)
    found.updated_at = call.stamp()
    _enforce(call, "key" if kind == "key" else "tenant", name, found)
    call.did(f"{kind}/{name}", before, _kept(found))
    return _shown(found)


def _kept(found: Limits) -> JSON:
    return {name: value for name, value in asdict(found).items() if name != "updated_at"}


def _enforce(call: Call, scope: str, name: str, found: Limits) -> None:
    """What the proxy lets through from now on."""
    limits = call.state.part(Budgets).limits[scope]
    hourly = found.max_budget if found.budget_duration == HOUR else None
    limits[name] = Limit(
        limits.get(name, Limit()).psu_daily_cap, "normal" if found.tpm_limit is None else found.tpm_limit, 0.0 if found.blocked else hourly,
        found.max_parallel_requests,
    )  # fmt: skip
