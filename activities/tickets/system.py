"""Tickets: GitHub."""

from activities.action import Refused
from activities.systems import ClientInfo, ClientSettings, Look, Opening, Seen, SystemInfo, secret, setting
from activities.tickets.github import GitHub


class GitHubSettings(ClientSettings):
    github_url: str = setting("https://api.github.com", practice="{url}/github")
    github_token: str = secret()
    github_repository: str = setting(about="where tickets are opened: owner/name", example="acme/incidents", practice="acme/incidents")


def _github(opening: Opening) -> GitHub:
    return GitHub(opening.http("github"), opening.settings.github_repository)


async def _probe(github: GitHub, look: Look) -> Seen:
    if not look.settings.github_repository:
        raise Refused("INCIDENT_GITHUB_REPOSITORY is not set: tickets have nowhere to go")
    await github.find(look.call, "incident doctor: there is no such ticket")
    return Seen(f"tickets in {look.settings.github_repository}")


SYSTEM = SystemInfo(ClientInfo("github", GitHub, GitHubSettings, _probe, _github))
