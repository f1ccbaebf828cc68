"""The inventory of what we build with its blocklists, and the pipeline at GitHub."""

from datetime import timedelta

from activities.builds.bots import MERGES, BotOf, UpdateSwitches
from activities.builds.installs import InstallsOf
from activities.builds.plane import SupplyPlane
from activities.builds.rebuild import WORKFLOW, Actions
from activities.kit.words.urls import path
from activities.systems import ClientInfo, ClientSettings, Look, Seen, SystemInfo, Unused, secret, setting
from activities.tickets.system import GitHubSettings


class SupplySettings(ClientSettings):
    supply_url: str = setting(needed=True, example="https://inventory.example.com", practice="{url}/supply")
    supply_token: str = secret()


async def _probe(plane: SupplyPlane, look: Look) -> Seen:
    service = next(iter(look.catalogue.services), "")
    if not service:
        raise Unused("organisation.toml names no service")
    found = await plane.get(look.call, path("v1", "services", service, "artefacts"))
    since = InstallsOf(ecosystem="PyPI", package="pip", since=look.call.at - timedelta(days=1), packages=())
    gaps = (await plane.look(look.call, since))["gaps"]
    return Seen(
        f"{len(found['artefacts'])} builds of {service} run" + (f"; installs are not recorded of {', '.join(gaps)}" if gaps else "")
    )


def _repositories(look: Look) -> list[str]:
    named = [one.repository for one in look.catalogue.services.values() if one.repository]
    if not named:
        raise Unused("organisation.toml names no repository")
    return named


async def _probe_actions(actions: Actions, look: Look) -> Seen:
    for repository in _repositories(look):
        await actions.runs(look.call, repository)
    return Seen(f"{WORKFLOW} is there in {len(_repositories(look))} repositories")


async def _probe_switches(switches: UpdateSwitches, look: Look) -> Seen:
    on = [one for one in _repositories(look) if await switches.on(look.call, BotOf(repository=one, switch=MERGES))]
    return Seen(f"merging without a person is on in {', '.join(on) or 'no repository'}")


SYSTEM = SystemInfo(
    ClientInfo("supply inventory", SupplyPlane, SupplySettings, _probe),
    ClientInfo("github actions", Actions, GitHubSettings, _probe_actions),
    ClientInfo("github switches", UpdateSwitches, GitHubSettings, _probe_switches),
)
