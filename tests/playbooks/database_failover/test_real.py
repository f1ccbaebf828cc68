"""§2.9 on a real PostgreSQL: a primary and its streaming standby, a pooler that moves connections, and a product that writes all the time.

Who takes writes is sampled from outside every 50 ms. This story is what the model of the practice platform is believed by.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from practice.stores.replicated import replicated
from tests.playbooks.database_failover.broken import ends, quick, written
from tests.stage.drill import drill
from workflows.incident import Phase

SYSTEMS = """
[policy.systems]
database = "postgresql"
"""


@pytest.mark.parametrize("how", ["hang", "behind"])
async def test_a_real_primary_is_fenced_a_real_standby_promoted_and_no_write_lost_unannounced(tmp_path: Path, how: str) -> None:
    """A postmaster that hangs, under which the product writes on; and a primary that dies with writes that its standby has not taken."""
    with replicated(tmp_path / "real") as real:
        told: dict[str, Any] = {"postgres_clusters": str(real.inventory), "postgres_password": f"file:{tmp_path / 'token'}"}
        async with drill(tmp_path, policy=quick(more=SYSTEMS), **told) as stage:
            real.admitted = lambda: stage.world.state.fleet.services["api"].gate.admitted > 0
            real.live()
            real.breaks(how)
            incident = await stage.declare("DatabaseFailover", service="api", labels={"cluster": "main"})
            await ends(incident, until=Phase.RECOVERY)
            (order,) = [one for one in await incident.orders("databases.promote") if "losing_after" in one][:1]
            real.writes(5)  # it goes on in the new primary, without having been told where that is
            assert real.judged(datetime.fromisoformat(order["losing_after"]).timestamp()) == []
            book = written(incident)
            assert book.index("databases.snapshot") < book.index("databases.fence") < book.index("databases.promote")
            if how == "behind":
                assert real.lost() > 0, "the story is about acknowledged writes that are lost, and announced"
