"""§2.2, told as stories."""

from pathlib import Path

from tests.drill import drill
from workflows.incident import State


async def test_the_primary_fails_and_everybody_comes_back_to_it(tmp_path: Path) -> None:
    """Failover, degrade, canary back: nothing is left in force, and every effect happened once."""
    async with drill(tmp_path) as stage:
        await stage.edit(providers={"borealis": {"parity": 0.93}})
        await stage.fault(provider="aurora", kind="overload", rate=0.6, for_seconds=1500)
        incident = await stage.declare()
        status = await incident.ends()
        assert status.state is State.RESOLVED, "\n".join(await incident.timeline())
        assert status.in_force == []
        world = await stage.look()
        assert world["route"]["weights"] == {"aurora": 1.0}
        assert all(world["flags"].values())
