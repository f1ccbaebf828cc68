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


LEFT = FootholdOf(foothold="oauth-1", kind="oauth", name="the OAuth app report-helper-1")
BREACH = {"foothold": Practised(evictions, LEFT, Works(enabled=False), None, "footholds.state.put")}
