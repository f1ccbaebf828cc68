"""`/waf`: our own contract. Rules that deny requests before they arrive, in preview or enforced; allow-lists; and what the edge has seen."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from practice.http.face import Ask, Call, Query, Reply, RouteModels, Shown
from practice.http.own_api import own_api
from practice.http.resource import Resource
from practice.signin.model import ALLOW, LAST, Rule, Seen, SignIn

FACE = own_api("waf", "The edge before sign-in: rules that deny, in preview or enforced; allow-lists; and what the edge has seen.")
OF = "/waf/v1"
PAGE = 100
MOST_ADDRESSES = 10
NUMBER = re.compile(r"[1-9][0-9]{0,9}")


def _network(given: str) -> str:
    """An address, or a network, as it is written."""
    try:
        return str(ip_network(given))
    except ValueError as wrong:
        raise ValueError(f"no address and no network: {wrong}") from wrong


Network = Annotated[str, AfterValidator(_network)]


class RuleAsked(Ask):
    """A rule: whom it meets (addresses, or the bearer of one key, or both), and how far it is: absent, in preview, enforced."""

    at: Literal["absent", "preview", "enforced"]
    addresses: Annotated[list[Network], Field(max_length=MOST_ADDRESSES)]
    key: Annotated[str, Field(max_length=200)]


class AllowListAsked(Ask):
    """Addresses and networks that are let in, whatever rule comes after."""

    addresses: list[Network]


def edge(call: Call) -> SignIn:
    return call.state.part(SignIn)


def _number(call: Call) -> int:
    if not NUMBER.fullmatch(call.path["rule"]) or int(call.path["rule"]) >= LAST:
        raise call.refuse(400, "a rule has a number: its priority")
    return int(call.path["rule"])


def _rule(call: Call) -> RuleAsked:
    found = edge(call).rules.get(_number(call))
    if found is None:
        return RuleAsked(at="absent", addresses=[], key="")
    if found.action == ALLOW or found.foreign:
        raise call.refuse(409, f"rule {found.priority} is no rule that denies by address or key")
    return RuleAsked(at="preview" if found.preview else "enforced", addresses=list(found.addresses), key=found.key)


def _set_rule(call: Call, wanted: RuleAsked) -> None:
    """Write a rule whole. One that meets everybody is refused."""
    there, number = edge(call), _number(call)
    _rule(call)
    if wanted.at == "absent":
        there.rules.pop(number, None)
    elif not wanted.addresses and not wanted.key:
        raise call.invalid("a rule meets an address or a key: this one would deny everybody")
    else:
        there.rules[number] = Rule(number, addresses=list(wanted.addresses), key=wanted.key, preview=wanted.at == "preview")
    there.changed()


Resource(FACE, "rules", OF + "/rules/{rule}", RuleAsked, _rule).takes(RuleAsked, _set_rule)


def _list(call: Call) -> Rule:
    found = edge(call).rules.get(_number(call))
    if found is None or found.action != ALLOW:
        raise call.refuse(404, f"there is no allow-list {call.path['rule']}")
    return found


def _allowed(call: Call) -> AllowListAsked:
    return AllowListAsked(addresses=list(_list(call).addresses))


def _allow(call: Call, wanted: AllowListAsked) -> None:
    """Write an allow-list whole."""
    _list(call).addresses = list(wanted.addresses)
    edge(call).changed()


Resource(FACE, "allow_lists", OF + "/allow-lists/{rule}", AllowListAsked, _allowed).takes(AllowListAsked, _allow)


class Rules(Shown):
    """The numbers of the rules that deny, and the allow-lists with what is on them."""

    denying: list[int]
    allowing: dict[str, list[str]]


@FACE.reads("rules.list", OF + "/rules", models=RouteModels(shows=Rules))
def rules(call: Call) -> Reply:
    """Every rule there is."""
    found = sorted(edge(call).rules.values(), key=lambda one: one.priority)
    allowing = {str(one.priority): list(one.addresses) for one in found if one.action == ALLOW and one.priority != LAST}
    return Reply(Rules(denying=[one.priority for one in found if one.action != ALLOW], allowing=allowing).model_dump())


class ProbeAsked(Ask):
    """A request as it would arrive: from which address, with which key (by its issuer's name of it, never the key)."""

    address: Network
    key: str


class ProbeShown(Shown):
    """Whether it would be let in; the rule that decides, and the first in preview that would deny it (0: none)."""

    let_in: bool
    rule: int
    would: int


@FACE.reads("probes.try", OF + "/probes", "POST", models=RouteModels(asks=ProbeAsked, shows=ProbeShown, refuses=(422,)))
def probe(call: Call) -> Reply:
    """What would become of a request. Nothing is sent on."""
    wanted = call.ask(ProbeAsked)
    let_in, rule, would = edge(call).decided(wanted.address.partition("/")[0], wanted.key)
    return Reply(ProbeShown(let_in=let_in, rule=rule, would=would).model_dump())


class Window(Query):
    """How far back, in seconds, and the place that the page before told."""

    window: float = Field(600, gt=0, le=86400)
    cursor: int = Field(0, ge=0)


class RequestsShown(Shown):
    """Requests of one kind. `outcome`: let in and good, let in and refused by sign-in, or denied at the edge."""

    address: str
    key: str
    outcome: Literal["ok", "failed", "denied"]
    rule: int
    would: int
    n: int


class RequestsPage(Shown):
    """`logged`: whether the edge keeps a log; without one nobody can say what it has seen."""

    requests: list[RequestsShown]
    logged: bool
    next: int | None


@FACE.reads("requests.list", OF + "/requests", models=RouteModels(query=Window, shows=RequestsPage))
def requests(call: Call) -> Reply:
    """What the edge has seen of requests to sign-in and with keys, counted, in pages."""
    asked, there = call.asked(Window), edge(call)
    counted: dict[tuple[str, str, str, int, int], int] = {}
    for row, n in seen_within(there, call.now, asked.window):
        kind = (row.address, row.key, row.outcome, row.rule, row.would)
        counted[kind] = counted.get(kind, 0) + n
    rows = [RequestsShown(address=a, key=k, outcome=o, rule=r, would=w, n=n) for (a, k, o, r, w), n in sorted(counted.items())]
    more = asked.cursor + PAGE if len(rows) > asked.cursor + PAGE else None
    page = rows[asked.cursor : asked.cursor + PAGE]
    return Reply(RequestsPage(requests=page, logged=not there.dials.unlogged, next=more).model_dump())


def seen_within(there: SignIn, now: float, window: float) -> list[tuple[Seen, int]]:
    """What was seen in the last seconds, as far as it is kept. Nothing, where no log is kept."""
    since = there.slot(max(now - window, there.born)) if there.born else 0
    return [] if there.dials.unlogged else [(row, n) for row, n in there.seen.items() if row.slot >= since]
