"""GitHub's issues (https://docs.github.com/rest/issues). Nothing is tried twice here.

GitHub answers a used-up rate limit with 403, which elsewhere is a refusal: here it becomes NotYet.
"""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import httpx

from activities.action import Call, NotYet, Refused
from activities.clients.http import Door

JSON = dict[str, Any]
_PAGE = 100
_LONGEST_LOOK = 50  # pages of comments


class GitHub:
    """One repository (`owner/name`). The door carries `Authorization: Bearer …`."""

    def __init__(self, door: Door, repository: str) -> None:
        self._door = door
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
        """`POST …/issues`."""
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
        return await _patient(self._door.read(call, path, **params))

    async def _write(self, call: Call, method: str, path: str, **body: Any) -> httpx.Response:
        return await _patient(self._door.write(call, method, path, json=body))


async def _patient(answer: Awaitable[httpx.Response]) -> httpx.Response:
    try:
        return await answer
    except Refused as said:
        if "rate limit" in said.message.casefold():
            raise NotYet(said.message, after=timedelta(seconds=60)) from None
        raise
