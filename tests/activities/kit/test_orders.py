"""The kit's orders: they cross the activity boundary as what they are, and say themselves."""

from typing import Any

import pytest
from temporalio.worker import Worker

from activities.action import Call, Order
from activities.kit.setting import Change, Look, Reading, Restore
from tests.activities.kit.rows.probe import Level, ProbeOf, Probes, Vendor
from tests.activities.kit.rows.settings import SETTINGS
from tests.activities.kit.stage import FollowingClock
from tests.activities.kit.workflows import ImposeAndLift
from tests.stage.drill import skipping
from worker.converter import data_converter
from worker.service import runner

OWN_WORDS = {
    "feeds",
    "quarantined sessions",
    "paused runs",
    "schedules of agents",
    "fence",
    "access to databases",
    "failover manager",
    "parked jobs",
    "google iam",
    "keycloak groups",
    "gcs holds",
}  # what going back means is said in words of its own


@pytest.mark.parametrize("row", SETTINGS)
async def test_every_order_comes_back_as_exactly_what_it_was(row: str) -> None:
    subject = await SETTINGS[row]()
    order = subject.order.model_copy(update={"late_until": subject.call().at})
    orders: tuple[Order, ...] = (order.look(), order, order.undo(), *order.undo_steps((0.5, 1.0)))
    for one in orders:
        (payload,) = await data_converter.encode([one])
        (back,) = await data_converter.decode([payload], [type(one)])
        assert type(back) is type(one) and back == one
        assert back.digest("x") == one.digest("x")
    assert order.prior is not None
    assert type(order.prior.value) is type(order.wanted)


async def test_a_workflow_imposes_and_lifts_in_the_sandbox() -> None:
    vendor = Vendor()
    system = Probes(vendor, FollowingClock())
    verbs: list[Any] = [system.read, system.change, system.restore]
    async with (
        skipping() as env,
        Worker(env.client, task_queue="kit", workflows=[ImposeAndLift], activities=verbs, workflow_runner=runner()),
    ):
        effects = await env.client.execute_workflow(ImposeAndLift.run, args=[ProbeOf(), Level(level=0)], id="kit", task_queue="kit")
    assert [effect.after["level"] for effect in effects] == [0, 1, 3]
    assert vendor.value == {"level": 3, "mode": "open"}


async def test_an_approval_covers_the_order_whatever_it_finds_there() -> None:
    order = Probes.order(ProbeOf(), Level(level=0))
    later = order.given(Reading[Level](value=Level(level=9), epoch=3))
    assert order.digest("probe.change") == later.digest("probe.change")
    assert order.digest("probe.change") != Probes.order(ProbeOf(), Level(level=1)).digest("probe.change")


@pytest.mark.parametrize("row", SETTINGS)
async def test_the_undo_that_is_shown_is_the_value_before_and_not_the_change(row: str) -> None:
    subject = await SETTINGS[row]()
    order, before = subject.order, subject.order._before()
    assert not before.same(order.wanted) and order.inverse() == order.undo().effect() != order.effect()
    assert str(before) in order.inverse() or row in OWN_WORDS, order.inverse()
    assert order.undo().inverse().startswith(order.wanted.effect(order.of))


def test_orders_say_themselves() -> None:
    order = Probes.order(ProbeOf(), Level(level=0), why="too much comes in")
    assert order.effect() == "set the level to level 0, shut: too much comes in"
    assert order.inverse() == "put the level back to what it was"
    given = order.given(Reading[Level](value=Level(level=3, mode="open")))
    assert given.inverse() == given.undo().effect() == "set the level back to level 3, open, in 2 steps"
    assert given.undo().inverse() == "set the level to level 0, shut once more"
    assert (order.look().effect(), order.target()) == ("read the level", "probe/level")
    with pytest.raises(ValueError, match="read it first"):
        order.undo()


def test_types_of_orders_are_those_of_the_verbs() -> None:
    assert Probes.change.__annotations__ == {
        "order": Change[ProbeOf, Level],
        "call": Call,
        "return": Probes.change.__annotations__["return"],
    }
    assert Probes.restore.__annotations__["order"] is Restore[ProbeOf, Level]
    assert (Probes.read.__annotations__["order"], Probes.read.__annotations__["return"]) == (Look[ProbeOf], Reading[Level])
