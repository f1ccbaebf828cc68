"""GitHub's REST API (https://docs.github.com/rest): issues, and what may be pushed where. Nothing is tried twice here.

GitHub answers a used-up rate limit with 403, which elsewhere is a refusal: here it becomes NotYet.
"""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.kit.http import HttpClient

JSON = dict[str, Any]
_PAGE = 100
_LONGEST_LOOK = 50  # pages of any list


class GitHub:
    """One repository (`owner/name`). The door carries `Authorization: Bearer …`."""

    def __init__(self, door: HttpClient, repository: str) -> None:
        self._client = door
        self._repository = repository
        self._issues = f"/repos/{repository}/issues"

    async def find(self, call: Call, marker: str) -> JSON | None:
        """The oldest issue whose body contains `marker`; None when there is none.

        The newest issues are listed, because the search index lags; what is older than those, the search knows.
        """
        listed = (await self._read(call, self._issues, state="all", sort="created", direction="desc", per_page=_PAGE)).json()
        ours = [issue for issue in listed if marker in (issue.get("body") or "")]
        if not ours and len(listed) == _PAGE:
            asked = f'repo:{self._repository} is:issue in:body "{marker}"'
            found = (await self._read(call, "/search/issues", q=asked)).json()["items"]
            ours = [issue for issue in found if marker in (issue.get("body") or "")]
        return min(ours, key=lambda issue: int(issue["number"]), default=None)

    async def create(self, call: Call, title: str, body: str) -> JSON:
        return dict((await self._write(call, "POST", self._issues, title=title, body=body)).json())

    async def issue(self, call: Call, number: int) -> JSON:
        """`GET …/issues/{number}`. Refused when there is none."""
        return dict((await self._read(call, f"{self._issues}/{number}")).json())

    async def rewrite(self, call: Call, number: int, body: str) -> None:
        """`PATCH …/issues/{number}`: sets the body."""
        await self._write(call, "PATCH", f"{self._issues}/{number}", body=body)

    async def comment(self, call: Call, number: int, body: str) -> None:
        """`POST …/issues/{number}/comments`."""
        await self._write(call, "POST", f"{self._issues}/{number}/comments", body=body)

    async def comments(self, call: Call, number: int) -> AsyncIterator[JSON]:
        """`GET …/issues/{number}/comments`, oldest first."""
        for page in range(1, _LONGEST_LOOK + 1):
            found = (await self._read(call, f"{self._issues}/{number}/comments", per_page=_PAGE, page=page)).json()
            for comment in found:
                yield comment
            if len(found) < _PAGE:
                return

    async def _read(self, call: Call, path: str, **params: Any) -> httpx.Response:
        return await _patient(self._client.read(call, path, **params))

    async def _write(self, call: Call, method: str, path: str, **body: Any) -> httpx.Response:
        return await _patient(self._client.write(call, method, path, json=body))


class Repositories:
    """Branches and rulesets of any repository (`owner/name`), with the same door as `GitHub`."""

    def __init__(self, door: HttpClient) -> None:
        self._client = door

    async def rulesets(self, call: Call, repository: str) -> list[JSON]:
        """`GET …/rulesets`: names and ids of the repository's own, without conditions and rules."""
        return await self._all(call, f"/repos/{repository}/rulesets", includes_parents="false")

    async def ruleset(self, call: Call, repository: str, id: int) -> JSON:
        """`GET …/rulesets/{id}`: the whole of it. Refused when there is none."""
        return dict((await _patient(self._client.read(call, f"/repos/{repository}/rulesets/{id}"))).json())

    async def make_ruleset(self, call: Call, repository: str, ruleset: JSON) -> int:
        """`POST …/rulesets`: its id. Refused when one of that name is there."""
        answer = await _patient(self._client.write(call, "POST", f"/repos/{repository}/rulesets", json=ruleset))
        return int(answer.json()["id"])

    async def change_ruleset(self, call: Call, repository: str, id: int, ruleset: JSON) -> None:
        """`PUT …/rulesets/{id}`: sets it."""
        await _patient(self._client.write(call, "PUT", f"/repos/{repository}/rulesets/{id}", json=ruleset))

    async def remove_ruleset(self, call: Call, repository: str, id: int) -> None:
        await _patient(self._client.write(call, "DELETE", f"/repos/{repository}/rulesets/{id}"))

    async def rules(self, call: Call, repository: str, branch: str) -> list[JSON]:
        """`GET …/rules/branches/{branch}`: every rule in force for a branch, of whatever ruleset. The branch need not exist."""
        return await self._all(call, f"/repos/{repository}/rules/branches/{branch}")

    async def branch(self, call: Call, repository: str, branch: str) -> JSON:
        """`GET …/branches/{branch}`: its newest commit. Refused when there is no such branch."""
        return dict((await _patient(self._client.read(call, f"/repos/{repository}/branches/{branch}"))).json())

    async def heads(self, call: Call, repository: str, prefix: str) -> dict[str, str]:
        """`GET …/git/matching-refs/heads/{prefix}`: the newest commit of every branch whose name begins so."""
        found = (await _patient(self._client.read(call, f"/repos/{repository}/git/matching-refs/heads/{prefix}"))).json()
        return {str(ref["ref"]).removeprefix("refs/heads/"): str(ref["object"]["sha"]) for ref in found}

    async def commits_between(self, call: Call, repository: str, base: str, head: str) -> list[JSON]:
        """`GET …/compare/{base}...{head}`: what head has and base has not, oldest first (GitHub gives at most 250)."""
        answer = await _patient(self._client.read(call, f"/repos/{repository}/compare/{base}...{head}"))
        return list(answer.json()["commits"])

    async def commit(self, call: Call, repository: str, *, tree: str, parent: str, message: str, at: str) -> str:
        """`POST …/git/commits`: a commit that no branch points to. At one instant (`at`, ISO 8601) twice is the same commit."""
        author = {"name": "incident-playbooks", "email": "incident-playbooks@users.noreply.github.com", "date": at}
        body = {"message": message, "tree": tree, "parents": [parent], "author": author, "committer": author}
        return str((await _patient(self._client.write(call, "POST", f"/repos/{repository}/git/commits", json=body))).json()["sha"])

    async def push(self, call: Call, repository: str, branch: str, sha: str) -> None:
        """`PATCH …/git/refs/heads/{branch}`, never forced. Refused when a rule forbids it."""
        path = f"/repos/{repository}/git/refs/heads/{branch}"
        await _patient(self._client.write(call, "PATCH", path, json={"sha": sha, "force": False}))

    async def _all(self, call: Call, path: str, **params: Any) -> list[JSON]:
        found: list[JSON] = []
        for page in range(1, _LONGEST_LOOK + 1):
            some = (await _patient(self._client.read(call, path, per_page=_PAGE, page=page, **params))).json()
            found += some
            if len(some) < _PAGE:
                break
        return found


async def _patient(answer: Awaitable[httpx.Response]) -> httpx.Response:
    try:
        return await answer
    except Refused as said:
        if "rate limit" in said.message.casefold():
            raise NotYet(said.message, after=timedelta(seconds=60)) from None
        raise
