"""Our own product as a customer meets it. It proves what other systems do, and has no verbs of its own."""

from activities.product.app_plane import AppPlane
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, secret, setting


class AppSettings(ClientSettings):
    app_url: str = setting(needed=True, example="https://app.example.com/internal", practice="{url}/app")
    app_token: str = secret()


async def _probe(app: AppPlane, look: Look) -> Seen:
    return Seen(f"batch {'runs' if await app.running(look.call, 'batch') else 'does not run'}")


SYSTEM = SystemInfo(ClientInfo("our product", AppPlane, AppSettings, _probe))
