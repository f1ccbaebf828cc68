"""The control plane of our own product, and its feed of changes."""

from datetime import timedelta

from activities.platform.control_plane import ControlPlane
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class PlatformSettings(ClientSettings):
    platform_url: str = setting(needed=True, example="https://platform.example.com", practice="{url}/platform")
    platform_token: str = secret()


async def _probe(plane: ControlPlane, look: Look) -> Seen:
    said = await plane.changes(look.call, look.call.at - timedelta(days=1), look.call.at)
    return Seen(f"its change feed tells {len(said['changes'])} changes of the last day")


SYSTEM = SystemInfo(ClientInfo("platform", ControlPlane, PlatformSettings, _probe))
