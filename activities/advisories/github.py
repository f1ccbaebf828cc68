"""GitHub's database of advisories, and what dependabot finds in a repository (docs.github.com/rest). Read only."""

from typing import Any

from activities.action import Call, Refused
from activities.tickets.github import GitHubClient

Json = dict[str, Any]


class GitHubAdvisories(GitHubClient):
    async def advisory(self, call: Call, ghsa: str) -> Json:
        """`GET /advisories/{ghsa}`: fixed versions, and whether it was withdrawn. Raises `Refused` where there is none."""
        return dict((await self._read(call, f"/advisories/{ghsa}")).json())

    async def open_alerts(self, call: Call, repository: str) -> list[Json]:
        """`GET …/dependabot/alerts`: the open ones of what is used at runtime."""
        if not repository:
            raise Refused("the service has no repository in the organisation's catalogue")
        found = self._all(call, f"/repos/{repository}/dependabot/alerts", state="open", scope="runtime")
        return [one async for one in found]
