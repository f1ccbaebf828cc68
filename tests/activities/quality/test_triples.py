"""A triple is moved as a unit, in either registry; only to what was blessed; and it counts when it answers."""

import pytest

from activities.action import Call, NotYet, Refused, Risk, action_of
from activities.kit.setting import Change, Look
from activities.organisation.policy import Policy
from activities.product.app_plane import AppPlane
from activities.registry.guard_chains import GuardChain, GuardChainOf, GuardChains
from activities.registry.mlflow import Mlflow
from activities.registry.release_plane import ReleasePlane
from activities.registry.triples import Triple, TripleOf, Triples
from practice.world.world import World
from tests.activities.conftest import MakeCall, MakeClient, effects, inject, pass_time, tried
from tests.activities.quality.conftest import publish, registry

LIMITS = Policy().limits
OF = TripleOf(route="chat")
WROTE = ("mlflow.alias.set", "langfuse.label.set")


def triple(short: str) -> Triple:
    return Triple.read(short)


async def order(triples: Triples, call: Call, short: str) -> Change[TripleOf, Triple]:
    return Triples.order(OF, triple(short)).given(await triples.read(Look[TripleOf](of=OF), call))


def written(world: World) -> list[str]:
    return [str(one["target"]) for route in WROTE for one in effects(world, route)]


async def test_all_three_move_and_come_back(world: World, triples: Triples, call: MakeCall) -> None:
    """Three writes, the guard chain first; then every new session is answered by it."""
    change = await order(triples, call(), "5/10/2")
    effect, broke = await tried(Triples.change, triples, change, call())
    assert not broke and len(written(world)) == 3 and "guard" in written(world)[0]
    assert effect.proven_by == "read back; 40 of 40 new sessions were answered by 5/10/2"
    assert registry(world).serving == (5, 10, 2)
    await tried(Triples.restore, triples, change.undo(), call(key="back"))
    assert registry(world).serving == (6, 12, 3)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_what_broke_off_half_way_is_finished(world: World, triples: Triples, call: MakeCall, at: int) -> None:
    """After one, two or three of the writes nothing more is heard; the next attempt goes on from there, and writes nothing twice."""
    change = await order(triples, call(), "5/10/2")
    registry(world).entries["guard"].aliases["production"] = 2
    if at > 1:
        registry(world).entries["prompt"].aliases["production"] = 10
    for route in WROTE:
        inject(world, route, "commit_then_drop", times=1)
    effect, broke = await tried(Triples.change, triples, change, call())
    assert registry(world).serving == (5, 10, 2) and len(broke) == 1
    assert len(written(world)) == len(set(written(world))) and effect.after == {"model": 5, "prompt": 10, "guard": 2}


async def test_what_broke_off_half_way_is_put_back(world: World, triples: Triples, call: MakeCall) -> None:
    change = await order(triples, call(), "5/10/2")
    registry(world).entries["guard"].aliases["production"] = 2
    await tried(Triples.restore, triples, change.undo(), call(key="back"))
    assert registry(world).serving == (6, 12, 3) and len(written(world)) == 1


async def test_somebody_elses_move_in_between_is_no_half_of_ours(world: World, triples: Triples, call: MakeCall) -> None:
    change = await order(triples, call(), "5/10/2")
    registry(world).entries["prompt"].aliases["production"] = 9
    with pytest.raises(Refused, match="a newer change of the triple of chat by somebody exists: model 6, prompt 9, guard chain 3"):
        await tried(Triples.change, triples, change, call())
    assert not written(world)


async def test_what_was_never_blessed_together_does_not_serve(world: World, triples: Triples, call: MakeCall) -> None:
    """Each version was blessed with others; together they were not."""
    with pytest.raises(Refused, match="model 6, prompt 10, guard chain 3 was never blessed as a whole"):
        await tried(Triples.change, triples, await order(triples, call(), "6/10/3"), call())
    assert not written(world)


async def test_what_reopens_an_injection_does_not_serve(world: World, triples: Triples, call: MakeCall) -> None:
    with pytest.raises(Refused, match="model 4, prompt 9, guard chain 1 is on the blocklist of injections"):
        await tried(Triples.change, triples, await order(triples, call(), "4/9/1"), call())
    assert not written(world)


async def test_what_served_before_may_come_back_unblessed_unless_it_is_blocklisted(world: World, triples: Triples, call: MakeCall) -> None:
    publish(world)
    change = await order(triples, call(), "6/12/3")
    await tried(Triples.change, triples, change, call())
    await tried(Triples.restore, triples, change.undo(), call(key="back"))
    assert registry(world).serving == (6, 13, 3)
    registry(world).releases[-1].blocklisted = True
    await tried(Triples.change, triples, await order(triples, call(), "6/12/3"), call(key="again"))
    with pytest.raises(Refused, match="on the blocklist"):
        await tried(Triples.restore, triples, change.undo(), call(key="back again"))


async def test_a_guard_chain_alone_is_narrow(world: World, door: MakeClient, plane: ReleasePlane, app: AppPlane, call: MakeCall) -> None:
    """Annex A.7 M4 is C1: model and prompt stay. A chain that was never blessed is refused."""
    chains = GuardChains(Mlflow(door("/mlflow")), plane, app)
    order = GuardChains.order(GuardChainOf(route="chat"), GuardChain(version=2))
    assert action_of(GuardChains.change).risk(order, LIMITS) is Risk.C1 and action_of(Triples.change).risk(order, LIMITS) is Risk.C2
    effect, _ = await tried(GuardChains.change, chains, order.given(await chains.read(order.look(), call())), call())
    assert registry(world).serving == (6, 12, 2) and "40 of 40 new sessions were guarded by chain 2" in effect.proven_by
    registry(world).publish("guard", "ci", 0.0)
    unknown = GuardChains.order(GuardChainOf(route="chat"), GuardChain(version=4))
    registry(world).entries["guard"].aliases["production"] = 3
    with pytest.raises(Refused, match="guard chain 4 was never blessed; there are 1, 2, 3"):
        await tried(GuardChains.change, chains, unknown.given(await chains.read(unknown.look(), call())), call(key="k2"))


async def test_it_counts_when_it_answers(world: World, triples: Triples, call: MakeCall) -> None:
    """A candidate still takes a tenth of the new sessions: the registry is right, and the triple is not proven."""
    registry(world).rollout.candidate, registry(world).rollout.percent = "5/11/3", 10.0
    with pytest.raises(AssertionError, match=r"new sessions \d+ by 5/11/3 were still answered"):
        await tried(Triples.change, triples, await order(triples, call(), "5/10/2"), call())
    assert registry(world).serving == (5, 10, 2)


async def test_sticky_sessions_do_not_count_as_new_ones(world: World, triples: Triples, call: MakeCall) -> None:
    publish(world)
    pass_time(world, 60)
    await tried(Triples.change, triples, await order(triples, call(), "6/12/3"), call())
    pass_time(world, 60)
    assert registry(world).sticky[6, 13, 3] > 0.15


async def test_no_alias_is_not_taken_for_anything(world: World, door: MakeClient, call: MakeCall) -> None:
    """MLflow answers a missing alias with 400."""
    del registry(world).entries["guard"].aliases["production"]
    with pytest.raises(Refused, match="MLflow has no alias production on chat-guard: Registered model alias production not found"):
        await Mlflow(door("/mlflow")).version(call(), "chat-guard", "production")
    with pytest.raises(Refused, match="MLflow has no alias production on other-guard"):
        await Mlflow(door("/mlflow")).version(call(), "other-guard", "production")
    with pytest.raises(Refused, match="404"):
        await Mlflow(door("/mlflow")).move(call(), "chat-guard", "production", 99)


async def test_an_accepted_alias_that_does_not_show_is_none(world: World, door: MakeClient, call: MakeCall) -> None:
    inject(world, "mlflow.alias.set", "nothing_changed", times=1)
    with pytest.raises(NotYet, match="version 2 of chat-guard does not carry the alias production"):
        await Mlflow(door("/mlflow")).move(call(), "chat-guard", "production", 2)


async def test_other_labels_stay(world: World, triples: Triples, call: MakeCall) -> None:
    """What else points to a version of the registry is left alone."""
    registry(world).entries["prompt"].aliases |= {"staging": 12, "evaluated": 10}
    await tried(Triples.change, triples, await order(triples, call(), "5/10/2"), call())
    assert registry(world).entries["prompt"].aliases == {"production": 10, "staging": 12, "evaluated": 10}


@pytest.mark.parametrize("short", ["", "6/12", "6/12/x", "6/12/0", "../../12/3", "6/12/3/1"])
def test_what_is_no_triple_is_refused(short: str) -> None:
    with pytest.raises(Refused, match="is no triple of versions"):
        triple(short)
