"""Publishing, rollouts, sticky sessions, snapshots and cheaper models: what they refuse, and what shows that they are in force."""

from datetime import timedelta
from typing import Any

import pytest

from activities.action import Refused
from activities.evals.answers import Answers, SamplesOf
from activities.registry.choices import CheaperModels, Snapshot, SnapshotOf, Snapshots, cheaper
from activities.registry.orders import OffersOf, ReleasesOf, ServedOf
from activities.registry.releases import ClearSticky, ReleaseHistory, Rollout, RolloutOf, Rollouts, StickySessions
from practice.faces.quality.samples import Consent
from practice.world.world import World
from tests.activities.conftest import MakeCall, effects, pass_time, tried
from tests.activities.quality.conftest import faults, publish, registry


async def given(system: Any, order: Any, call: Any) -> Any:
    return order.given(await system.read(order.look(), call))


async def test_what_may_be_rolled_back_to_is_blessed_open_and_newest_first(world: World, history: ReleaseHistory, call: MakeCall) -> None:
    publish(world)
    known = await history.list(ReleasesOf(route="chat"), call())
    assert (known.serving, known.blessed) == ("6/13/3", False)
    assert known.eligible() == ("6/12/3", "5/11/3", "5/10/2", "5/10/1")  # 4/9/1 is on the blocklist


async def test_sticky_sessions_are_cleared_once(world: World, sticky: StickySessions, history: ReleaseHistory, call: MakeCall) -> None:
    publish(world)
    pass_time(world, 90)
    registry(world).entries["prompt"].aliases["production"] = 12
    pass_time(world, 120)
    stuck = (await history.served(ServedOf(route="chat"), call())).share("6/13/3")
    assert stuck and stuck > 0.05
    first, _ = await tried(StickySessions.create, sticky, ClearSticky(route="chat"), call(key="clear"))
    again, _ = await tried(StickySessions.create, sticky, ClearSticky(route="chat"), call(key="clear"))
    assert first.after == {"generation": 2, "left": 0} and again.adopted and registry(world).generation == 2
    pass_time(world, 180)
    assert (await history.served(ServedOf(route="chat"), call())).by == {"6/12/3": pytest.approx(144, abs=60)}


async def test_while_rollouts_are_held_none_grows(world: World, rollouts: Rollouts, call: MakeCall) -> None:
    registry(world).publishing.rollouts = "held"
    order = Rollouts.order(RolloutOf(route="chat"), Rollout(candidate="5/11/3", percent=5))
    with pytest.raises(Refused, match="rollouts are held: a share may only become less"):
        await tried(Rollouts.change, rollouts, await given(rollouts, order, call()), call())
    registry(world).rollout.candidate, registry(world).rollout.percent = "5/11/3", 5.0
    stop = Rollouts.order(RolloutOf(route="chat"), Rollout(candidate="5/11/3", percent=0))
    effect, _ = await tried(Rollouts.change, rollouts, await given(rollouts, stop, call()), call())
    assert effect.proven_by == "read back at epoch 1; 0 of 40 new sessions were answered by 5/11/3"


async def test_a_blocklisted_candidate_is_not_rolled_out(rollouts: Rollouts, call: MakeCall) -> None:
    order = Rollouts.order(RolloutOf(route="chat"), Rollout(candidate="4/9/1", percent=1))
    with pytest.raises(Refused, match="4/9/1 is on the blocklist of injections"):
        await tried(Rollouts.change, rollouts, await given(rollouts, order, call()), call())


async def test_a_snapshot_is_pinned_and_shows_in_what_answers(world: World, snapshots: Snapshots, call: MakeCall) -> None:
    registry(world).floating["aurora"] = "aurora-large-4-2026-11-20"
    order = await given(snapshots, Snapshots.order(SnapshotOf(route="chat"), Snapshot(pinned="aurora-large-4-2026-08-06")), call())
    effect, _ = await tried(Snapshots.change, snapshots, order, call())
    assert "20 of 20 answers came from aurora-large-4-2026-08-06" in effect.proven_by
    back, _ = await tried(Snapshots.restore, snapshots, order.undo(), call(key="back"))
    assert "answers came from aurora-large-4-2026-11-20" in back.proven_by


async def test_a_snapshot_that_is_not_there_is_refused(snapshots: Snapshots, call: MakeCall) -> None:
    order = await given(snapshots, Snapshots.order(SnapshotOf(route="chat"), Snapshot(pinned="aurora-9")), call())
    with pytest.raises(Refused, match="the provider has no snapshot aurora-9; there are aurora-large-4-2026-04-02"):
        await tried(Snapshots.change, snapshots, order, call())


async def test_only_what_is_good_enough_and_permitted_is_cheaper(
    world: World, cheaper_models: CheaperModels, history: ReleaseHistory, call: MakeCall
) -> None:
    """INV-13: a tenant that permits only its provider is left alone. Worse than policy allows is refused for everybody."""
    permitted = (await history.offers(OffersOf(route="chat"), call())).of("borealis-pro-2")
    assert permitted
    sovereign = next(one.name for one in world.state.tenants.values() if one.name not in permitted.permitted)
    said = {
        ("borealis-pro-2", sovereign): f"{sovereign} do not permit borealis",
        ("cumulus-8b", permitted.permitted[0]): "cumulus-8b is not as good as the usual model: parity 0.88, wanted 0.95",
        ("gpt-9", permitted.permitted[0]): "chat has no model gpt-9 on offer",
    }
    for (model, tenant), why in said.items():
        order = await given(cheaper_models, cheaper("chat", [tenant], model), call())
        with pytest.raises(Refused, match=why):
            await tried(CheaperModels.change, cheaper_models, order, call())
    assert not effects(world, "quality") and not registry(world).models


async def test_cheaper_for_some_leaves_the_others(world: World, cheaper_models: CheaperModels, call: MakeCall) -> None:
    names = list(world.state.tenants)
    registry(world).models = {names[5]: "aurora-mini-4"}
    order = await given(cheaper_models, cheaper("chat", names[:2], "aurora-mini-4"), call())
    await tried(CheaperModels.change, cheaper_models, order, call())
    assert set(registry(world).models) == {*names[:2], names[5]}
    await tried(CheaperModels.restore, cheaper_models, order.undo(), call(key="back"))
    assert registry(world).models == {names[5]: "aurora-mini-4"}


async def test_judged_answers_are_counted_by_slice_and_never_shown(world: World, answers: Answers, call: MakeCall) -> None:
    publish(world, language="de", rate=0.9)
    pass_time(world, 1800)
    seen = await answers.judged(SamplesOf(route="chat", window=timedelta(minutes=30)), call())
    n, bad = seen.counted("language")["de"]
    others = seen.counted("language")["en"]
    assert seen.n >= 1500 and bad / n > 0.6 > others[1] / others[0] and sum(one.n for one in seen.slices) == seen.n
    assert all(one.ref.startswith("answers/") and len(one.sha256) == 64 for one in seen.samples) and len(seen.samples) == 10


async def test_without_consent_nothing_is_sampled(world: World, answers: Answers, call: MakeCall) -> None:
    world.state.part(Consent).given = False
    seen = await answers.judged(SamplesOf(route="chat"), call())
    assert (seen.consent, seen.n, seen.share) == (False, 0, None)
    assert not faults(world).spoilt
