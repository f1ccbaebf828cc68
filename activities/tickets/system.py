"""Tickets and repositories: GitHub."""

from activities.action import Refused
from activities.kit.http import HttpClient
from activities.systems import Build, ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting
from activities.tickets.github import GitHub, Repositories
from activities.tickets.tickets import Tickets


class GitHubSettings(ClientSettings):
    github_url: str = setting("https://api.github.com", practice="{url}/github")
    github_token: str = secret()
    github_repository: str = setting(about="where tickets are opened: owner/name", example="acme/incidents", practice="acme/incidents")


def _github(opening: Opening) -> HttpClient:
    return opening.http("github")


async def _probe(github: HttpClient, look: Look) -> Seen:
    repository = look.settings.github_repository
    if not repository:
        raise Refused("INCIDENT_GITHUB_REPOSITORY is not set: tickets have nowhere to go")
    await github.read(look.call, f"/repos/{repository}/issues", state="all", per_page=1)
    locked = [service for service in look.catalogue.services.values() if service.repository]
    for service in locked:
        await Repositories(github).branch(look.call, service.repository, service.branch)
    return Seen(f"tickets in {repository}; {len(locked)} branches that a freeze can lock")


def _tickets(build: Build) -> Tickets:
    return Tickets(GitHub(build.client(GITHUB), build.settings.github_repository))


GITHUB = ClientInfo("github", GitHubSettings, _github, _probe)
SYSTEM = SystemInfo({Tickets: _tickets}, (GITHUB,))
