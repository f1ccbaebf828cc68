"""What may leave and what left: denied hosts are refused where they are called from, and unknown is never taken for no."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Limits, Risk, action_of
from activities.egress.egress import CallsOf, Denial, Egress, Left, OutboundCalls, OutboundOf, deny, deny_tool
from activities.egress.proxy import EgressProxy, UserInterface
from activities.egress.rendering import Rendering, stop_rendering
from practice.egress.outbound import RENDER, Flow, Origin, Outbound, outbound
from tests.activities.kit.stage import Stage, attempt, refused, stage, tried

EVIL = "collect.evil.example"
SESSION = {"tenant": "cedar-homes", "session": "s-17"}
BY_TOOL = Origin("agents", EVIL, "tool", tool="browser", **SESSION)
BY_CLIENT = Origin("client", EVIL, RENDER, surface="chat", **SESSION)


def egress(played: Stage) -> Egress:
    return Egress(EgressProxy(played.client("/egress")))


def flowing(played: Stage, *origins: Origin) -> Outbound:
    """Calls that come again and again, from now on."""
    there = outbound(played.world.state)
    there.flows += [Flow(origin, 8.0, played.world.clock.now()) for origin in origins]
    played.pass_time(60)
    return there


async def left(played: Stage, **asked: str) -> OutboundCalls:
    order = CallsOf(window=timedelta(minutes=5), **asked)
    found: OutboundCalls = await attempt(Egress.calls, egress(played), order, played.call())
    return found


async def imposed(cls: Any, system: Any, order: Any, played: Stage) -> Any:
    order = order.given(await system.look_at(played.call(), order.of))
    effect, _ = await tried(cls.change, system, order, played.call())
    return effect


async def test_a_denied_host_is_refused_to_the_affected_workload_and_to_everything_below_it() -> None:
    played = stage()
    there = flowing(played, BY_TOOL)
    before = await left(played, session="s-17")
    assert (before.left, before.hosts(), before.stray[0].host) == (Left.YES, (EVIL,), EVIL)
    effect = await imposed(Egress, egress(played), deny("evil.example", "agents", "it was called by session s-17"), played)
    assert "a connection from agents is refused by rule eg-1" in effect.proven_by
    n = there.rows[BY_TOOL, "proxy", "made"].n
    played.pass_time(60)
    assert there.rows[BY_TOOL, "proxy", "made"].n == n, "nothing more goes out"
    assert there.rows[BY_TOOL, "proxy", "refused"].n >= 7 and there.rows[BY_TOOL, "proxy", "refused"].rule == "eg-1"


async def test_a_rule_that_the_proxy_does_not_enforce_is_no_effect() -> None:
    played = stage()
    outbound(played.world.state).enforced = False
    with pytest.raises(AssertionError, match="still gets out there: is let out"):
        await imposed(Egress, egress(played), deny("evil.example", "agents"), played)


@pytest.mark.parametrize(
    "name", ["*.evil.example", "evil", "EVIL.example", "evil.example/x", "evil.example\r\nX: y", "", "a" * 254, "-a.example", "?"]
)
async def test_nothing_that_stands_for_several_hosts_is_ever_denied(name: str) -> None:
    played = stage()
    order = Egress.order(OutboundOf(name=name), Denial())
    assert "no pattern" in await refused(lambda: attempt(Egress.read, egress(played), order.look(), played.call()))
    assert "no pattern" in await refused(lambda: attempt(Egress.change, egress(played), order, played.call()))
    assert not played.effects("egress")


async def test_what_the_product_needs_is_denied_only_on_a_persons_word() -> None:
    played = stage()
    order = deny("api.aurora.example", "agents")
    assert "on the allow list" in await refused(lambda: imposed(Egress, egress(played), order, played))
    broad, narrow, tool = deny("api.aurora.example", though_listed=True), deny(EVIL), deny_tool("browser")
    risk = action_of(Egress.change).risk
    assert [risk(one, Limits()) for one in (broad, narrow, tool)] == [Risk.C2, Risk.C1, Risk.C2]
    assert action_of(Egress.restore).risk(narrow, Limits()) is Risk.C2, "letting out again is broader than refusing"
    assert "is refused by rule" in (await imposed(Egress, egress(played), broad.model_copy(update={"of": order.of}), played)).proven_by


async def test_a_whole_tool_can_be_denied() -> None:
    played = stage()
    there = flowing(played, BY_TOOL)
    await imposed(Egress, egress(played), deny_tool("browser", "agents"), played)
    n = there.rows[BY_TOOL, "proxy", "made"].n
    played.pass_time(60)
    assert there.rows[BY_TOOL, "proxy", "made"].n == n and there.rule(Origin("agents", "search.example.com", tool="search")) == ""


async def test_nothing_left_is_said_only_when_everybody_who_saw_calls_was_asked() -> None:
    played = stage()
    assert (await left(played)).left is Left.NO, "the ordinary calls are for hosts that the product needs"
    there = flowing(played)
    there.unreadable = ["client"]
    blind = await left(played)
    assert blind.left is Left.UNKNOWN and blind.unreadable == ("client",) and "not readable: client" in blind.summary
    there.unreadable = []
    flowing(played, BY_CLIENT)
    assert (await left(played, session="s-17")).left is Left.YES, "nobody clicked, and it was fetched all the same"
    assert (await left(played, session="s-18")).left is Left.NO


async def test_a_list_that_is_longer_than_what_is_shown_names_strays_first_and_is_never_a_no() -> None:
    played = stage()
    there = outbound(played.world.state)
    for n in range(230):
        there.call(Origin("agents", "search.example.com", session=f"s-{n}"), played.world.clock.now())
    assert (await left(played)).left is Left.UNKNOWN
    there.call(BY_TOOL, played.world.clock.now())
    found = await left(played)
    assert found.left is Left.YES and found.more == 134 and found.calls[0].host == EVIL


async def test_a_surface_that_fetches_nothing_by_itself_is_proven_by_a_message_of_ours() -> None:
    played = stage()
    there = flowing(played, BY_CLIENT)
    rendering = Rendering(UserInterface(played.client("/ui")))
    effect = await imposed(Rendering, rendering, stop_rendering("chat"), played)
    assert effect.proven_by.endswith("a client of chat did not fetch the image in a message of ours")
    n = there.rows[BY_CLIENT, "client", "made"].n
    played.pass_time(60)
    assert there.rows[BY_CLIENT, "client", "made"].n == n
    there.honoured = False
    with pytest.raises(AssertionError, match="still fetches"):
        await imposed(Rendering, rendering, stop_rendering("chat"), played)
    assert "there is no surface fax" in await refused(lambda: imposed(Rendering, rendering, stop_rendering("fax"), played))
