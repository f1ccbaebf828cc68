"""The rows of what keeps harm from spreading: outbound calls that are refused, surfaces that fetch nothing by themselves."""

from activities.egress.egress import Denial, Egress, OutboundOf
from activities.egress.proxy import EgressProxy, UserInterface
from activities.egress.rendering import AutoRender, Rendering, SurfaceOf
from tests.activities.kit.rows.practised import LandingClock, Practised
from tests.activities.kit.stage import Stage


def egress(played: Stage, clock: LandingClock) -> Egress:
    return Egress(EgressProxy(played.client("/egress")))


def rendering(played: Stage, clock: LandingClock) -> Rendering:
    return Rendering(UserInterface(played.client("/ui")))


RECORDS = {
    "denied host": Practised(egress, OutboundOf(name="evil.example", workload="agents"), Denial(), None, "egress.hosts.put"),
    "denied tool": Practised(
        egress,
        OutboundOf(kind="tool", name="browser", workload="agents"),
        Denial(),
        None,
        "egress.tools.put",
    ),
    "surface that fetches": Practised(
        rendering,
        SurfaceOf(surface="chat"),
        AutoRender(auto_render=False),
        None,
        "ui.render.put",
    ),
}
