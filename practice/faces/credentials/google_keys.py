"""Keys of service accounts (cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys), on the face of IAM.

They have no label, and no request id. What was made with a key lasts on: an access token for up to an hour.
"""

from __future__ import annotations

import base64
import json

from practice.credentials.cast import credentials
from practice.credentials.keys import make, revoke
from practice.credentials.model import GOOGLE, Key
from practice.faces.iam import FACE as IAM
from practice.http.face import Call, Reply
from practice.world.state import JSON

OF = "/iam/v1/projects/{project}/serviceAccounts/{account}/keys"


def _keys(call: Call) -> list[Key]:
    """A deleted one is not listed any more."""
    there = credentials(call.state, call.now)
    found = [one for one in there.keys.values() if one.issuer == GOOGLE and one.subject == call.path["account"]]
    if not found:
        raise call.refuse(404, f"Unknown service account: {call.path['account']}")
    return [one for one in found if one.revoked is None]


def _name(call: Call, key: str) -> str:
    return f"projects/{call.path['project']}/serviceAccounts/{call.path['account']}/keys/{key}"


def _shown(call: Call, one: Key) -> JSON:
    return {
        "name": _name(call, one.id), "validAfterTime": call.world.clock.stamp(one.made), "keyAlgorithm": "KEY_ALG_RSA_2048",
        "keyOrigin": "GOOGLE_PROVIDED", "keyType": "USER_MANAGED",
    }  # fmt: skip


@IAM.reads("serviceAccounts.keys.list", OF)
def listed(call: Call) -> Reply:
    return Reply({"keys": [_shown(call, one) for one in _keys(call)]})


@IAM.writes("serviceAccounts.keys.create", OF)
def create(call: Call) -> Reply:
    """The private key is shown once."""
    _keys(call)
    found = make(credentials(call.state, call.now), call.world.number(), GOOGLE, call.path["account"], "", [], call.now)
    call.did(f"iam/{call.path['account']}/keys", None, found.id)
    private = {"type": "service_account", "private_key_id": found.id, "private_key": found.value, "client_email": found.subject}
    found.value = json.dumps(private)
    return Reply({**_shown(call, found), "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE",
                  "privateKeyData": base64.b64encode(found.value.encode()).decode()})  # fmt: skip


@IAM.writes("serviceAccounts.keys.delete", OF + "/{key}", "DELETE")
def delete(call: Call) -> Reply:
    found = next((one for one in _keys(call) if one.id == call.path["key"]), None)
    if found is None:
        raise call.refuse(404, f"Unknown key: {call.path['key']}")
    revoke(credentials(call.state, call.now), call.state.fleet, found, call.now)
    call.did(f"iam/keys/{found.id}", False, True)
    return Reply({})
