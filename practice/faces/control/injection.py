"""`/practice/injections`: attacks on the agents, what people repair, and guardrails that are down."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from practice.faces.control.face import FACE
from practice.http.face import Ask, Call, Reply
from practice.injection.attacks import DROP, PAYLOAD, Attack, Deed, Fix, injections
from practice.library.library import library

DEEDS = {
    "none": [],
    "reversible": [Deed("tickets.create")],
    "external": [Deed("files.write", external=True)],
    "irreversible": [Deed("mail.send", reversible=False, external=True)],
    "outbound": [Deed("web.fetch", reversible=False, host=DROP)],
    "rendered": [Deed("kb.search", reversible=False, host=DROP, render=True)],
    "foreign": [Deed("crm.lookup", reversible=False, names="another-tenant")],
}


class SetAttack(Ask):
    """A document that gives orders. `owner`: the tenant whose it is; `tenants`: whose sessions come across it (the first one without); `deeds`:
    what an obeying session does (`reversible external irreversible outbound rendered foreign`); `spreads_to`: whose agents' memory it writes
    itself into; `copies`: further documents with the same; `innocent`: it only looks like an attack."""

    store: str = "corpus"
    text: str = PAYLOAD
    owner: str = ""
    tenants: list[str] = Field([], max_length=50)
    deeds: list[str] = ["reversible"]
    spreads_to: str = ""
    copies: int = Field(0, ge=0, le=200)
    innocent: bool = False
    after_seconds: float = Field(0, ge=0)
    for_seconds: float | None = Field(None, gt=0)


class Repair(Ask):
    """What people have repaired: `validates`, tools check where their arguments come from (`tools`: only these); `refuses_more`: and refuse
    such a share of innocent calls."""

    validates: bool = True
    tools: list[str] = []
    refuses_more: float = Field(0.0, ge=0, le=1)


class Turn(Ask):
    """Whether traces of sessions are kept."""

    kept: bool


@FACE.reads("injections", "/practice/injections")
def look(call: Call) -> Reply:
    """Everything about attacks and what came of them."""
    return Reply(asdict(injections(call.state)))


@FACE.writes("injections.set", "/practice/injections")
def attack(call: Call) -> Reply:
    wanted, there = call.ask(SetAttack), injections(call.state)
    unknown = [name for name in wanted.deeds if name not in DEEDS] + [
        name for name in [wanted.store] if name not in library(call.state).stores
    ]
    if unknown:
        raise call.invalid(f"there is no {unknown[0][:60]}")
    since = call.now + wanted.after_seconds
    planted = [library(call.state).plant(wanted.store, wanted.text, since, tenant=wanted.owner) for _ in range(1 + wanted.copies)]
    made = Attack(
        f"at-{there.number()}", wanted.text, wanted.store, planted[0].id, wanted.tenants or [next(iter(call.state.tenants))],
        [deed for name in wanted.deeds for deed in DEEDS[name]], since,
        None if wanted.for_seconds is None else since + wanted.for_seconds, wanted.spreads_to, wanted.innocent,
    )  # fmt: skip
    there.attacks.append(made)
    call.did(f"injections/{made.id}", None, made.document)
    return Reply({"id": made.id, "document": made.document})


@FACE.writes("injections.clear", "/practice/injections", "DELETE")
def clear(call: Call) -> Reply:
    """End them all; what they have brought about stays."""
    there = injections(call.state)
    before, there.attacks = len(there.attacks), []
    call.did("injections", before, 0)
    return Reply({"injections": 0})


@FACE.writes("injections.repair", "/practice/injection-fixes")
def repair(call: Call) -> Reply:
    there = injections(call.state)
    before, there.fix = asdict(there.fix), Fix(**call.ask(Repair).model_dump())
    call.did("injection-fixes", before, asdict(there.fix))
    return Reply(asdict(there.fix))


@FACE.writes("injections.turn", "/practice/injection-dials")
def turn(call: Call) -> Reply:
    there = injections(call.state)
    before, there.kept = there.kept, call.ask(Turn).kept
    call.did("injection-dials", before, there.kept)
    return Reply({"kept": there.kept})
