"""The content delivery network, by our own contract (docs/api/cdn.json)."""

from activities.cdn.cdn import Cdn
from activities.kit.words.urls import path
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class CdnSettings(ClientSettings):
    cdn_url: str = setting(about="the control plane of the CDN", needed=True, example="https://cdn.example.com", practice="{url}/cdn")
    cdn_token: str = secret()
    cdn_path: str = setting("files.get", about="a path that is kept there, for a look from outside")


def _open(opening: Opening) -> Cdn:
    return Cdn(opening.http("cdn"))


async def _probe(cdn: Cdn, look: Look) -> Seen:
    kept = look.settings.cdn_path
    said = await cdn.get(look.call, path("v1", "paths", kept, "bypass"))
    return Seen(f"{kept} {'goes past it' if said['on'] else 'may be answered by it'}")


SYSTEM = SystemInfo(ClientInfo("cdn", Cdn, CdnSettings, _probe, _open))
