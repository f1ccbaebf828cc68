"""A false alarm ends the change freeze at once: only where nothing else is in force, and nobody was affected."""

from pathlib import Path

from tests.incident.mechanisms.test_two_incidents import FLAG, asked_for, proven
from tests.stage.drill import drill
from tests.stage.organisation import brisk
from tests.stage.outages import outage
from workflows.incident import State


async def test_what_has_hit_customers_is_no_false_alarm(tmp_path: Path) -> None:
    """Only the freeze is in force, and the metrics have shown that customers were affected."""
    async with outage(tmp_path, error_rate=0.4) as (_, incident):
        await incident.question("Roll api back")
        await incident.hears("done: freezes.hold")
        order = {"code": await incident.command_code("dana"), "reason": "it looks fine", "false_alarm": True}
        refused = await incident.refused("stand_down", order)
        assert refused == "this was no false alarm for customers: they were affected; stand down without false_alarm"
        status = await incident.status()
        assert status.state is State.OPEN and [one.name for one in status.in_force] == ["change freeze"]


async def test_with_measures_in_force_it_is_no_false_alarm(tmp_path: Path) -> None:
    """Nobody was affected, and something of ours is in force: it is lifted by standing down as usual."""
    async with drill(tmp_path, policy=brisk()) as stage:
        incident = await stage.declare("Triage")
        await asked_for(incident, "flags.switch_off", FLAG)
        await proven(incident, "flags.switch_off")
        order = {"code": await incident.command_code("dana"), "reason": "it looks fine", "false_alarm": True}
        refused = await incident.refused("stand_down", order)
        assert refused == "this was no false alarm for the systems: measures are in force; stand down without false_alarm"
