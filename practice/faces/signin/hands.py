"""`/practice`, continued: the hands on sign-in. Who comes by which address, and what the edge does not do."""

from __future__ import annotations

from dataclasses import asdict

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.signin.model import DENY, SignIn


class Turn(Ask):
    """What is left out stays as it is. `listed`: addresses that somebody has put on the partners' allow-list."""

    shared: bool | None = None
    by_edge: bool | None = None
    unlogged: bool | None = None
    idle: bool | None = None
    gives_up: bool | None = None
    listed: list[str] | None = None
    no_events: list[str] | None = None
    hollow: bool | None = None


@FACE.writes("sign_in.turn", "/practice/sign-in-dials")
def turn(call: Call) -> Reply:
    """Turn them."""
    wanted, there = call.ask(Turn), call.state.part(SignIn)
    for name in ("shared", "by_edge", "unlogged", "idle", "gives_up", "no_events", "hollow"):
        if (value := getattr(wanted, name)) is not None:
            setattr(there.dials, name, value)
    partners = next(one for one in there.rules.values() if one.action != DENY and one.addresses)
    partners.addresses += [one for one in wanted.listed or () if one not in partners.addresses]
    there.changed()
    call.did("sign-in/dials", None, asdict(there.dials))
    return Reply(asdict(there.dials))


@FACE.reads("sign_in", "/practice/sign-in")
def look(call: Call) -> Reply:
    """The rules, and what was let in, refused or denied, by address."""
    there = call.state.part(SignIn)
    counted: dict[str, dict[str, int]] = {}
    for row, n in there.seen.items():
        of = counted.setdefault(row.address, {})
        of[row.outcome] = of.get(row.outcome, 0) + n
    accounts = {name: asdict(one) for name, one in there.accounts.items()}
    rules = [asdict(one) for one in there.rules.values()]
    return Reply({"rules": rules, "seen": counted, "accounts": accounts, "dials": asdict(there.dials)})
