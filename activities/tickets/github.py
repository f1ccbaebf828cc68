"""GitHub's REST API (https://docs.github.com/rest): issues, and what may be pushed where. Nothing is tried twice here.

GitHub answers a used-up rate limit with 403, which elsewhere is a refusal: here it becomes NotYet. Lists are read to their last page.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.kit.http import HttpClient, Moved, pages
from activities.kit.words import urls

JSON = dict[str, Any]
_PAGE = 100  # the most that GitHub lists at once
_INDEX_LAGS = timedelta(hours=1)  # at most: so old is what the search surely knows


class GitHubClient:
    """What issues and repositories have in common. The client carries `Authorization: Bearer …`."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def _read(self, call: Call, path: str, **params: Any) -> httpx.Response:
        with _rate_limit_is_no_refusal():
            return await self._client.read(call, path, **params)

    async def _write(self, call: Call, method: str, path: str, body: JSON | None = None) -> httpx.Response:
        with _rate_limit_is_no_refusal():
            return await self._client.write(call, method, path, **({"json": body} if body is not None else {}))

    def _all(self, call: Call, path: str, field: str = "", **params: Any) -> AsyncIterator[JSON]:
        """Every item of a list; `field`: where it stands in the answer."""

        async def page(number: int) -> tuple[list[JSON], int | None]:
            answer = await self._read(call, path, per_page=_PAGE, page=number, **params)
            found = answer.json()[field] if field else answer.json()
            return found, number + 1 if "next" in answer.links else None

        return pages(f"github {path}", 1, page)


class GitHub(GitHubClient):
    """The issues of one repository (`owner/name`)."""

    def __init__(self, client: HttpClient, repository: str) -> None:
        super().__init__(client)
        self._repository = repository
        self._issues = _path(repository, "issues")

    async def find(self, call: Call, marker: str) -> JSON | None:
        """The oldest issue whose body contains `marker`; None when there is none.

        The newest issues are listed, because the search index lags; what is older, the search knows. NotYet: GitHub has not searched all.
        """
        since = (call.at - _INDEX_LAGS).strftime("%Y-%m-%dT%H:%M:%SZ")
        newest = self._all(call, self._issues, state="all", sort="created", direction="desc", since=since)
        ours = [issue async for issue in newest if marker in (issue.get("body") or "")]
        if not ours:
            asked = f'repo:{self._repository} is:issue in:body "{marker}"'
            found = (await self._read(call, "/search/issues", q=asked, per_page=_PAGE)).json()
            if found.get("incomplete_results"):
                raise NotYet("github has searched only some of the issues")
            ours = [issue for issue in found["items"] if marker in (issue.get("body") or "")]
        return min(ours, key=lambda issue: int(issue["number"]), default=None)

    async def create(self, call: Call, title: str, body: str) -> int:
        return int((await self._write(call, "POST", self._issues, {"title": title, "body": body})).json()["number"])

    async def issue(self, call: Call, number: int) -> JSON | None:
        with _rate_limit_is_no_refusal():
            return await self._client.find(call, self._issues + urls.path(number))

    async def rewrite(self, call: Call, number: int, body: str) -> None:
        await self._write(call, "PATCH", self._issues + urls.path(number), {"body": body})


class Repositories(GitHubClient):
    """Branches and rulesets of any repository (`owner/name`)."""

    async def may_lock(self, call: Call, repository: str) -> bool | None:
        """Whether our role there may make rulesets (`GET /repos/…`: permissions.admin); None where GitHub does not say."""
        permissions: JSON = (await self._read(call, _path(repository))).json().get("permissions") or {}
        return permissions.get("admin")

    async def rulesets(self, call: Call, repository: str) -> list[JSON]:
        return [one async for one in self._all(call, _path(repository, "rulesets"), includes_parents="false")]

    async def ruleset(self, call: Call, repository: str, id: int) -> JSON:
        return dict((await self._read(call, _path(repository, "rulesets", id))).json())

    async def set_ruleset(self, call: Call, repository: str, ruleset: JSON, id: int | None = None) -> None:
        """`PUT …/rulesets/{id}`; without an id `POST …/rulesets`, which is refused when one of that name is there."""
        method, names = ("POST", ("rulesets",)) if id is None else ("PUT", ("rulesets", str(id)))
        await self._write(call, method, _path(repository, *names), ruleset)

    async def remove_ruleset(self, call: Call, repository: str, id: int) -> None:
        await self._write(call, "DELETE", _path(repository, "rulesets", id))

    async def rules(self, call: Call, repository: str, branch: str) -> list[JSON]:
        """`GET …/rules/branches/{branch}`: every rule in force for a branch, of whatever ruleset. The branch need not exist."""
        return [one async for one in self._all(call, _path(repository, "rules", "branches", *branch.split("/")))]

    async def branch(self, call: Call, repository: str, branch: str) -> JSON:
        return dict((await self._read(call, _path(repository, "branches", *branch.split("/")))).json())

    async def heads(self, call: Call, repository: str, prefix: str) -> dict[str, str]:
        """`GET …/git/matching-refs/heads/{prefix}`: the newest commit of every branch whose name begins so."""
        path = _path(repository, "git", "matching-refs", "heads", *prefix.split("/"))
        found = [one async for one in self._all(call, path)]
        return {str(ref["ref"]).removeprefix("refs/heads/"): str(ref["object"]["sha"]) for ref in found}

    async def commits_between(self, call: Call, repository: str, base: str, head: str) -> list[JSON]:
        """`GET …/compare/{base}...{head}`: what head has and base has not, oldest first. Refused when base is not in head's history."""
        path = _path(repository, "compare", f"{base}...{head}")
        compared = (await self._read(call, path, per_page=1)).json()
        if compared.get("behind_by", 0):
            raise Refused(f"github: {base[:12]} is not in the history of {head}")
        return [one async for one in self._all(call, path, "commits")]

    async def commit(self, call: Call, repository: str, *, tree: str, parent: str, message: str, at: str) -> str:
        """`POST …/git/commits`: a commit that no branch points to. At one instant (`at`, ISO 8601) twice is the same commit."""
        author = {"name": "incident-playbooks", "email": "incident-playbooks@users.noreply.github.com", "date": at}
        body = {"message": message, "tree": tree, "parents": [parent], "author": author, "committer": author}
        return str((await self._write(call, "POST", _path(repository, "git", "commits"), body)).json()["sha"])

    async def push(self, call: Call, repository: str, branch: str, sha: str) -> None:
        """`PATCH …/git/refs/heads/{branch}`, never forced. Refused when a rule forbids it."""
        await self._write(call, "PATCH", _path(repository, "git", "refs", "heads", *branch.split("/")), {"sha": sha, "force": False})


def _path(repository: str, *names: object) -> str:
    return urls.path("repos", *repository.split("/"), *names)


@contextmanager
def _rate_limit_is_no_refusal() -> Iterator[None]:
    try:
        yield
    except Moved as no:
        raise Refused(f"{no.message}: INCIDENT_GITHUB_URL, or the repository's new name (INCIDENT_GITHUB_REPOSITORY, [services])") from None
    except Refused as no:
        if "rate limit" in no.message.casefold():
            raise NotYet(no.message, after=timedelta(seconds=60)) from None
        raise
