"""The row of what an intruder has left behind."""

from activities.breach.footholds import Evictions, FootholdOf, Works
from activities.breach.planes import FootholdPlane
from practice.intrusion.cast import intrusion
from practice.intrusion.faults import leave
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage


def evictions(played: Stage, clock: LandingClock) -> Evictions:
    """One OAuth app that somebody has left."""
    now = played.world.clock.now()
    leave(intrusion(played.world.state, now), "oauth", now)
    return Evictions(FootholdPlane(played.client("/footholds")))


BREACH = {
    "foothold": Practised(
        evictions, FootholdOf(foothold="oauth-1", kind="oauth", name="oauth 1"), Works(enabled=False), None, "footholds.state.put"
    ),
}
