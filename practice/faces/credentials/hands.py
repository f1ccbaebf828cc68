"""`/practice`, continued: the hands on credentials. Who has stolen one, who lies, who remembers, and what nobody can look into."""

from __future__ import annotations

from dataclasses import asdict

from practice.credentials.cast import credentials
from practice.credentials.keys import fall_silent
from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply


class Turn(Ask):
    """What is left out stays as it is. `lies`: keys that are called revoked and let in all the same, until they are `honest`; `stubborn`:
    verifiers that do not forget; `unlisted`: credentials whose consumers stand in no inventory; `caches`: verifier → for how many seconds it
    remembers."""

    thief: str | None = None
    unread: list[str] | None = None
    stuffing: bool | None = None
    lies: list[str] | None = None
    honest: list[str] | None = None
    stubborn: list[str] | None = None
    unlisted: list[str] | None = None
    caches: dict[str, float] | None = None


@FACE.writes("credentials.turn", "/practice/credential-dials")
def turn(call: Call) -> Reply:
    """Turn them."""
    wanted, there = call.ask(Turn), credentials(call.state, call.now)
    for name in ("thief", "unread", "stuffing"):
        if (value := getattr(wanted, name)) is not None:
            setattr(there.dials, name, value)
    for key in wanted.lies or ():
        there.keys[key].lies = True
    for key in wanted.honest or ():
        there.keys[key].lies = False
    for verifier in wanted.stubborn or ():
        there.verifiers[verifier].stubborn = True
    for verifier, seconds in (wanted.caches or {}).items():
        there.verifiers[verifier].caches = seconds
    for name in wanted.unlisted or ():
        there.inventory[name].consumers = []
    fall_silent(there, call.state.fleet)
    call.did("credentials/dials", None, asdict(there.dials))
    return Reply(asdict(there.dials))


@FACE.reads("credentials", "/practice/credentials")
def look(call: Call) -> Reply:
    """Keys without their values, versions, and who was let in by what."""
    there = credentials(call.state, call.now)
    keys = {
        id: {
            "issuer": one.issuer,
            "label": one.label,
            "revoked": one.revoked is not None,
            "lets_in": there.lets_in(one),
            "uses": one.uses,
        }
        for id, one in there.keys.items()
    }
    store = {name: {number: one.state for number, one in versions.items()} for name, versions in there.store.items()}
    return Reply({"keys": keys, "store": store, "dials": asdict(there.dials)})
