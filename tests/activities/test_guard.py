"""The guard in front of every verb (`activities/action.py`), each of its rules alone: it lets nothing through that a caller forgot to ask."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.action import Call, Effect, Expired, Grant, Limits, Order, Refused, Risk, StandsOn, System, action
from activities.breach.footholds import FootholdSeen, evict
from activities.credentials.orders import Exposure, KeyRef, RevokeKey
from activities.databases.jobs import Promote
from activities.databases.settings import Fence, Fences, NodeOf
from activities.egress.egress import deny, deny_tool
from activities.kit.fence import refuse_when_late
from activities.secrets.store import DisableVersion
from tests.stage.organisation import stage_settings
from worker.systems import stands_on

AT = datetime(2026, 11, 23, 12, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Turn(Order, target="valve/{name}", effect="turn {name}"):
    name: str = "north"

    def workloads(self) -> tuple[str, ...]:
        return (self.name,)


class Valves(System):
    """Turned; `waits` passes before the write."""

    def __init__(self, waits: Any = lambda: None) -> None:
        self.turned: list[str] = []
        self._waits = waits

    @action("valves.look")
    async def look(self, order: Turn, call: Call) -> str:
        return "closed"

    @action("valves.nudge", risk=Risk.C1)
    async def nudge(self, order: Turn, call: Call) -> Effect:
        return self._turned(order)

    @action("valves.turn", risk=Risk.C2)
    async def turn(self, order: Turn, call: Call) -> Effect:
        self._waits()
        refuse_when_late()
        effect = self._turned(order)
        self._waits()
        refuse_when_late()
        return effect

    def _turned(self, order: Turn) -> Effect:
        self.turned.append(order.name)
        return order.done("it was looked at")


class Holds(System):
    """Takes anything that it is told to."""

    def __init__(self) -> None:
        self.taken: list[Order] = []

    @action("holds.take", risk=Risk.C1)
    async def take(self, order: Order, call: Call) -> Effect:
        self.taken.append(order)
        return Effect(target=order.target(), summary="taken", proven_by="it was looked at")


def call(**more: Any) -> Call:
    return Call(incident_id="inc-1", key="inc-1/valves/1", at=AT, **more)


def grant(order: Turn, **more: Any) -> Grant:
    usual: dict[str, Any] = {"question": 3, "covers": (order.digest("valves.turn"),), "by": ("dana",), "verified": True, "at": AT}
    return Grant(**{**usual, "expires_at": AT + 15 * MINUTE, **more})


async def attempted(valves: Valves, verb: Any, order: Turn, made: Call, begun: datetime = AT) -> str:
    """What one attempt came to. `begun`: when the server gave it out."""
    env = ActivityEnvironment()
    env.info = replace(env.info, started_time=begun, start_to_close_timeout=timedelta(days=9999))
    try:
        effect = await env.run(verb.__get__(valves), order, made)
    except Refused as no:
        return f"{type(no).__name__}: {no.message}"
    return str(getattr(effect, "summary", effect))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "turn north"),
        ({"covers": ("another",)}, "Refused: the approval of question 3 is for something else than valves.turn on valve/north"),
        ({"basis": "assumed"}, "Refused: valves.turn on valve/north was only assumed to be approved, in a plan or in shadow mode"),
        (
            {"expires_at": AT - MINUTE},
            "Expired: the approval of 12:03:00 (question 3) ended at 12:02:00 UTC, before it could be carried out",
        ),
    ],
    ids=["a person's yes", "to something else", "assumed", "ended"],
)
async def test_a_broad_change_runs_only_with_a_yes_to_this_very_order(given: dict[str, Any], said: str) -> None:
    valves, order = Valves(), Turn()
    assert await attempted(valves, Valves.turn, order, call(grant=grant(order, **given))) == said
    assert valves.turned == (["north"] if said == "turn north" else [])


async def test_a_broad_change_without_a_yes_is_refused() -> None:
    valves = Valves()
    assert "needs an approval and has none" in await attempted(valves, Valves.turn, Turn(), call())
    assert valves.turned == []


@pytest.mark.parametrize("verb", [Valves.nudge, Valves.turn])
async def test_automation_that_may_only_observe_changes_nothing_and_still_looks(verb: Any) -> None:
    valves, order = Valves(), Turn()
    made = call(grant=grant(order), observe_only=True)
    assert "observe only" in await attempted(valves, verb, order, made)
    assert await attempted(valves, Valves.look, order, made) == "closed"
    assert valves.turned == []


@pytest.mark.parametrize("verb", [Valves.nudge, Valves.turn])
async def test_in_shadow_mode_a_system_without_write_access_is_not_written_to_whatever_was_granted(verb: Any) -> None:
    valves, order = Valves(), Turn()
    assert "shadow mode" in await attempted(valves, verb, order, call(grant=grant(order), write_access=("flags",)))
    assert valves.turned == []
    assert await attempted(valves, verb, order, call(grant=grant(order), write_access=("valves",))) == "turn north"


async def test_what_we_stand_on_is_spared_whatever_was_granted() -> None:
    valves, order = Valves(), Turn(name="temporal")
    assert "is protected" in await attempted(valves, Valves.turn, order, call(grant=grant(order), limits=Limits()))
    assert valves.turned == []


OURS = StandsOn(hosts=frozenset({"events.pagerduty.com", "ledger.acme.internal"}), secrets=frozenset({"pager_key"}))
LEFT: dict[str, Any] = {"made_at": AT, "reads_chat": False, "enabled": True}
STOLEN: dict[str, Any] = {"exposure": Exposure.CONFIRMED, "key": KeyRef(issuer="own", subject="s", key="k")}


@pytest.mark.parametrize(
    ("order", "ours"),
    [
        (RevokeKey(credential="pager", secret="PAGER_KEY", **STOLEN), True),
        (RevokeKey(credential="incident-worker", **STOLEN), True),
        (RevokeKey(credential="llm-main", secret="OPENAI_API_KEY", **STOLEN), False),
        (DisableVersion(secret="PAGER_KEY", version=3, dead=True), True),
        (DisableVersion(secret="OPENAI_API_KEY", version=3, dead=True), False),
        (evict(FootholdSeen(id="key-7", kind="key", name="incident-worker", **LEFT)), True),
        (evict(FootholdSeen(id="key-8", kind="key", name="svc-reports", **LEFT)), False),
        (deny("events.pagerduty.com"), True),
        (deny("pagerduty.com"), True),
        (deny("duty.com"), False),
        (deny("exfil.example"), False),
        (deny_tool("pagerduty.com"), False),
        (Promote(cluster="incident-ledger", node="b", old="a"), True),
        (Promote(cluster="orders", node="b", old="a"), False),
        (Fences.order(NodeOf(cluster="incident-ledger", node="a"), Fence(fenced=True)), True),
    ],
    ids=lambda one: one.effect() if isinstance(one, Order) else "",
)
async def test_our_own_keys_record_and_pager_path_are_spared_whatever_was_granted(order: Order, ours: bool) -> None:
    """By what the workers' settings name, and by the names of the policy."""
    holds, env = Holds(), ActivityEnvironment()
    holds.stands_on = OURS
    with pytest.raises(Refused, match="this incident is run by") if ours else nullcontext():
        await env.run(Holds.take.__get__(holds), order, call())
    assert bool(holds.taken) is not ours


def test_what_we_stand_on_is_read_from_the_settings(tmp_path: Path) -> None:
    named = stage_settings("http://127.0.0.1:1", tmp_path, tmp_path / "organisation.toml").model_copy(
        update={
            "ledger_url": "postgresql+psycopg://i:x@ledger.acme.internal/incidents", "temporal_address": "temporal.acme.internal:7233",
            "pagerduty_events_url": "https://events.pagerduty.com", "pagerduty_token": "gsm:projects/acme/secrets/PAGER_KEY/versions/4",
        }
    )  # fmt: skip
    seen = stands_on(named)
    assert {"ledger.acme.internal", "temporal.acme.internal", "events.pagerduty.com"} <= seen.hosts and "pager_key" in seen.secrets


@pytest.mark.parametrize(("away", "done"), [(14 * MINUTE, True), (15 * MINUTE + timedelta(seconds=47), False)])
async def test_the_servers_time_of_the_attempt_decides_whether_a_yes_has_ended(away: timedelta, done: bool) -> None:
    """The call was made in time; the worker was away. Whatever our own clock says (here it is years off): it is not asked."""
    valves, order = Valves(), Turn()
    said = await attempted(valves, Valves.turn, order, call(grant=grant(order)), begun=AT + away)
    assert (said == "turn north", valves.turned == ["north"]) == (done, done), said


async def test_a_yes_that_ends_while_the_attempt_waits_authorises_no_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a minute before the write, and the yes is good for half of one. What was begun in time comes to its end."""
    passed = 0.0
    monkeypatch.setattr("activities.kit.validity.time.clock_gettime", lambda _clock: passed)

    def a_minute() -> None:
        nonlocal passed
        passed += 60

    order = Turn()
    short, long = (grant(order, expires_at=AT + seconds) for seconds in (timedelta(seconds=30), timedelta(seconds=90)))
    late = Valves(a_minute)
    assert (await attempted(late, Valves.turn, order, call(grant=short))).startswith("Expired: the approval ended while")
    in_time = Valves(a_minute)
    assert await attempted(in_time, Valves.turn, order, call(grant=long)) == "turn north"
    assert (late.turned, in_time.turned) == ([], ["north"])


def test_an_ended_approval_is_a_refusal_of_a_kind_of_its_own() -> None:
    """The record calls it refused; the workflow asks again."""
    assert (Expired("x").type, Expired("x").non_retryable) == ("Expired", True)
    later = Expired("x", attempt=2)
    assert (*Expired("x").details, *later.details) == (False, True) and later.message == "x; an earlier try of ours may have reached it"
