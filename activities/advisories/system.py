"""Where advisories are read: OSV, GitHub, CISA's catalogue and EPSS. All but GitHub are open to everybody."""

from activities.action import Refused
from activities.advisories.exploited import Epss, Kev
from activities.advisories.github import GitHubAdvisories
from activities.advisories.osv import Osv
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, Unused, setting
from activities.tickets.system import GitHubSettings

KNOWN = "CVE-2021-44228"  # in every database


class OsvSettings(ClientSettings):
    osv_url: str = setting("https://api.osv.dev", practice="{url}/osv")


class KevSettings(ClientSettings):
    kev_url: str = setting("https://www.cisa.gov/sites/default/files/feeds", practice="{url}/exploited/feeds")


class EpssSettings(ClientSettings):
    epss_url: str = setting("https://api.first.org", practice="{url}/exploited")


def _used(look: Look) -> None:
    if not look.catalogue.services:
        raise Unused("organisation.toml names no service")


async def _probe_osv(osv: Osv, look: Look) -> Seen:
    _used(look)
    return Seen(f"{len(await osv.of_version(look.call, 'PyPI', 'jinja2', '2.4.1'))} advisories for a version that is known to have some")


async def _probe_kev(kev: Kev, look: Look) -> Seen:
    _used(look)
    due = await kev.due(look.call, KNOWN)
    return Seen(f"the catalogue can be read; {KNOWN} is {'in it' if due else 'not in it'}")


async def _probe_epss(epss: Epss, look: Look) -> Seen:
    _used(look)
    score = await epss.score(look.call, KNOWN)
    return Seen("scores can be read" if score is None else f"{KNOWN} has {score:.0%}")


async def _probe_github(github: GitHubAdvisories, look: Look) -> Seen:
    named = [one.repository for one in look.catalogue.services.values() if one.repository]
    if not named:
        raise Unused("organisation.toml names no repository")
    found = [await github.open_alerts(look.call, one) for one in named]
    if not found:
        raise Refused("no repository shows its alerts")
    return Seen(f"{sum(map(len, found))} open alerts of dependabot in {len(named)} repositories")


SYSTEM = SystemInfo(
    ClientInfo("osv", Osv, OsvSettings, _probe_osv),
    ClientInfo("kev", Kev, KevSettings, _probe_kev),
    ClientInfo("epss", Epss, EpssSettings, _probe_epss),
    ClientInfo("github advisories", GitHubAdvisories, GitHubSettings, _probe_github),
)
