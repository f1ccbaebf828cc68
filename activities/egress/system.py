"""The egress proxy, and the user interface that renders answers."""

from datetime import timedelta

from activities.egress.egress import CallsOf
from activities.egress.proxy import EgressProxy, UserInterface
from activities.egress.rendering import SurfaceOf
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class EgressSettings(ClientSettings):
    egress_url: str = setting(needed=True, example="https://egress.example.com", practice="{url}/egress")
    egress_token: str = secret()


class RenderingSettings(ClientSettings):
    rendering_url: str = setting(needed=True, example="https://ui.example.com", practice="{url}/ui")
    rendering_token: str = secret()
    rendering_surface: str = setting("chat", "the surface that `incident doctor` looks at")


async def _probe_egress(proxy: EgressProxy, look: Look) -> Seen:
    rows, sources = await proxy.calls(look.call, CallsOf(window=timedelta(hours=1)))
    away = [name for name, readable in sources.items() if not readable]
    return Seen(f"{len(rows)} kinds of outbound calls in the last hour" + (f"; not readable: {', '.join(away)}" if away else ""))


async def _probe_rendering(interface: UserInterface, look: Look) -> Seen:
    said = await interface.get(look.call, SurfaceOf(surface=look.settings.rendering_surface).path)
    return Seen(f"{look.settings.rendering_surface} fetches what answers point to: {'yes' if said['auto_render'] else 'no'}")


SYSTEM = SystemInfo(
    ClientInfo("egress", EgressProxy, EgressSettings, _probe_egress),
    ClientInfo("rendering", UserInterface, RenderingSettings, _probe_rendering),
)
