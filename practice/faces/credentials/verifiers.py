"""Those who check keys and remember what they learnt: a key that its issuer has revoked is let in there for a while."""

from __future__ import annotations

from practice.credentials.keys import taken_by
from practice.credentials.model import Verifier
from practice.faces.credentials.base import FACE, OF, presented, there_of
from practice.http.face import Call, Reply, RouteModels, Shown


class VerifierShown(Shown):
    """`caches_seconds`: so long it believes what it has learnt."""

    name: str
    caches_seconds: float


class Checked(Shown):
    taken: bool


def _verifier(call: Call) -> Verifier:
    found = there_of(call).verifiers.get(call.path["verifier"])
    if found is None:
        raise call.refuse(404, f"there is no verifier {call.path['verifier']}")
    return found


@FACE.reads("verifiers.get", OF + "/verifiers/{verifier}", models=RouteModels(shows=VerifierShown))
def get(call: Call) -> Reply:
    found = _verifier(call)
    return Reply(VerifierShown(name=found.name, caches_seconds=found.caches).model_dump())


@FACE.reads(
    "verifiers.check", OF + "/verifiers/{verifier}/check", "POST", models=RouteModels(shows=Checked, headers={"X-Credential": True})
)
def check(call: Call) -> Reply:
    """Try a key where it is checked."""
    return Reply(Checked(taken=taken_by(there_of(call), _verifier(call), presented(call), call.now)).model_dump())


@FACE.writes("verifiers.forget", OF + "/verifiers/{verifier}/forget", models=RouteModels(shows=VerifierShown))
def forget(call: Call) -> Reply:
    """Let it forget everything: the next check asks the issuer."""
    found = _verifier(call)
    before = len(found.known)
    if not found.stubborn:
        found.known = {}
    call.did(f"verifiers/{found.name}", before, len(found.known))
    return Reply(VerifierShown(name=found.name, caches_seconds=found.caches).model_dump())
