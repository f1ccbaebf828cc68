"""What customers read: Statuspage, and a second host for when it is down."""

from activities.status_page.status_page import StatusPage
from activities.status_page.statuspage import Statuspage
from activities.systems import Build, ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting


class StatuspageSettings(ClientSettings):
    statuspage_url: str = setting("https://api.statuspage.io/v1", practice="{url}/statuspage/v1")
    statuspage_token: str = secret()
    statuspage_page: str = setting("main", "the page's id", example="your-page-id")
    statuspage_public_url: str = setting(
        about="the address that customers know", needed=True, example="https://status.example.com", practice="{url}/statuspage/public"
    )


class FallbackSettings(ClientSettings):
    statuspage_fallback_url: str = setting(about="a second host that speaks the same API; it must not depend on what we run", needed=True)
    statuspage_fallback_token: str = secret()
    statuspage_fallback_page: str = setting("main")
    statuspage_fallback_public_url: str = setting(needed=True)


def _statuspage(opening: Opening, which: str) -> Statuspage:
    page = getattr(opening.settings, f"{which}_page")
    return Statuspage(opening.http(which, scheme="OAuth "), opening.http(f"{which}_public"), page)


async def _probe(page: Statuspage, look: Look) -> Seen:
    known = [one async for one in page.incidents(look.call)]
    await page.public_incident(look.call, "doctor")
    return Seen(
        f"{len(known)} incidents, and customers can read the page; not probed whether we may write: Statuspage offers no way to ask"
    )


STATUSPAGE = ClientInfo("statuspage", Statuspage, StatuspageSettings, _probe, lambda opening: _statuspage(opening, "statuspage"))
SECOND = ClientInfo(
    "second status page", Statuspage, FallbackSettings, _probe, lambda opening: _statuspage(opening, "statuspage_fallback"), optional=True
)


def _status_page(build: Build) -> StatusPage:
    return StatusPage(build.client(STATUSPAGE), None if SECOND.missing(build.settings) else build.client(SECOND))


SYSTEM = SystemInfo(STATUSPAGE, SECOND, built={StatusPage: _status_page})
