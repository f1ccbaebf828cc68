"""Fine-grained personal access tokens that may reach an organisation (docs.github.com/rest/orgs/personal-access-tokens): listed and revoked."""

from __future__ import annotations

from typing import Literal

from practice.credentials.cast import credentials
from practice.credentials.keys import revoke
from practice.credentials.model import GITHUB, Key
from practice.faces.github.base import FACE, message, page
from practice.http.face import TOKEN, Ask, Call, Refusal, Reply
from practice.world.state import JSON

OF = "/github/orgs/{org}/personal-access-tokens"


class UpdateAccess(Ask):
    action: Literal["revoke"]


def _tokens(call: Call) -> list[Key]:
    """Those that reach it still: a revoked one is not listed any more."""
    there = credentials(call.state, call.now)
    return [one for one in there.keys.values() if one.issuer == GITHUB and one.subject == call.path["org"] and one.revoked is None]


@FACE.reads("personal_access_tokens.list", OF)
def listed(call: Call) -> Reply:
    return page(call, [_shown(call, one) for one in _tokens(call)])


@FACE.writes("personal_access_tokens.revoke", OF + "/{token}")
def update(call: Call) -> Reply:
    """Its access ends: 204, and nothing says so once more."""
    call.ask(UpdateAccess)
    found = next((one for one in _tokens(call) if one.id == call.path["token"]), None)
    if found is None:
        raise Refusal(message(404, "Not Found"))
    revoke(credentials(call.state, call.now), call.state.fleet, found, call.now)
    call.did(f"github/tokens/{found.id}", False, True)
    return Reply(status=204)


@FACE.reads("user", "/github/user", public=True)
def user(call: Call) -> Reply:
    """Whom a token lets in: 401 with bad credentials."""
    there, shown = credentials(call.state, call.now), call.headers.get("authorization", "").removeprefix("Bearer ")
    found = there.by_value(shown)
    if shown != TOKEN and (found is None or not there.lets_in(found)):
        raise Refusal(message(401, "Bad credentials"))
    return Reply({"login": "practice", "id": 1, "type": "User"})


def _shown(call: Call, one: Key) -> JSON:
    used = max(one.uses.values(), default=None)
    return {
        "id": int(one.id), "owner": {"login": "lee", "type": "User"}, "repository_selection": "subset", "permissions": {},
        "access_granted_at": call.world.clock.stamp(one.made), "token_id": int(one.id), "token_name": one.label, "token_expired": False,
        "token_expires_at": None, "token_last_used_at": call.world.clock.stamp(used) if used else None,
    }  # fmt: skip
