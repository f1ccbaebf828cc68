"""One client for every vendor: the same headers, the same time limits, the same three outcomes.

Status codes become outcomes here and nowhere else. 409 412: `Conflict`, to be read again and decided again by the adapter. 423 429 (and
Statuspage's 420): `NotYet`, after the vendor's Retry-After. Every other 4xx, and 3xx: `Refused`; a write is never sent to another address
than the one that was configured. 408 425, 5xx and every broken connection are ordinary exceptions: the outcome is unknown, Temporal tries
again, and the adapter looks before it acts.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Self, TypeVar

import httpx

from activities.action import Call, NotYet, Refused
from activities.kit.fence import refuse_when_late
from activities.kit.words.redact import redact

UNAUTHORISED, NOT_FOUND, UNPROCESSABLE = 401, 404, 422
CONFLICTS = frozenset({409, 412})
THROTTLES = frozenset({420, 423, 429})
UNKNOWN = frozenset({408, 425})
MOST_PAGES = 100  # of one list
LONGEST_WAIT = 60.0  # seconds that a vendor may tell us to wait

P = TypeVar("P")


class Conflict(Exception):
    """The state is not the one that we read: read again, decide again."""


class Unprocessable(Refused):
    """422: the vendor understood, and does not take it. An adapter may find out that it is a conflict in fact."""


class Moved(Refused):
    """301, 302, 307, 308. Nothing is sent to another address than the one in the settings."""

    def __init__(self, response: httpx.Response) -> None:
        to = redact(response.headers.get("Location", "an address that it does not name"))
        setting = response.request.extensions.get("setting") or "the settings"
        where = f"{response.request.method} {response.request.url.path}"
        super().__init__(f"{where}: moved to {to} ({response.status_code}): put the new address into {setting}")


class Bearer(httpx.Auth):
    """A bearer token that others renew while we run: refused once, it is read again, and the request sent again if it is a new one."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._token = read()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token on the request. A request that was refused with 401 did nothing."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != UNAUTHORISED or (fresh := self._read()) == self._token:
            return
        self._token = fresh
        request.headers["Authorization"] = f"Bearer {fresh}"
        yield request


class HttpClient:
    """A vendor's base URL with our credentials. `timeout` (seconds) stays below every start-to-close timeout, on purpose.

    `setting`: what to change when the vendor has moved.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout: float = 4.0,
        transport: httpx.AsyncBaseTransport | None = None,
        auth: httpx.Auth | None = None,
        setting: str = "",
    ) -> None:
        self._named = {"setting": setting}
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=dict(headers), timeout=timeout, transport=transport, auth=auth, verify=_tls()
        )

    async def read(self, call: Call, path: str, *, headers: Mapping[str, str] | None = None, **params: Any) -> httpx.Response:
        """GET, at the call's instant. Raises as the module says."""
        asked = {k: v for k, v in params.items() if v is not None}
        return outcome(await self._http.get(path, params=asked, headers={**_stamps(call), **(headers or {})}, extensions=self._named))

    async def ask(self, call: Call, method: str, path: str, *, headers: Mapping[str, str] | None = None, **kwargs: Any) -> httpx.Response:
        """A request that changes nothing although it is no GET (a probe, a query by POST). The raw response: a probe wants to see errors."""
        return await self._http.request(method, path, headers={**_stamps(call), **(headers or {})}, extensions=self._named, **kwargs)

    async def find(self, call: Call, path: str) -> dict[str, Any] | None:
        """GET: the JSON; None where there is nothing (404)."""
        response = await self.ask(call, "GET", path)
        return None if response.status_code == NOT_FOUND else dict(outcome(response).json())

    async def write(self, call: Call, method: str, path: str, *, headers: Mapping[str, str] | None = None, **kwargs: Any) -> httpx.Response:
        """A request with an effect: carries the key, and is refused here when the attempt's time is over (a late zombie must not write)."""
        refuse_when_late()
        keyed = {**_stamps(call), "Idempotency-Key": call.key, **(headers or {})}
        return outcome(await self._http.request(method, path, headers=keyed, extensions=self._named, **kwargs))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@cache
def _tls() -> ssl.SSLContext:
    """One for all doors: reading the authorities' certificates takes 40 ms each time, and a restarted worker is waited for."""
    return httpx.create_ssl_context()


def outcome(response: httpx.Response) -> httpx.Response:
    """The response, or the outcome that its status code means."""
    where = f"{response.request.method} {response.request.url.path}"
    if response.status_code in THROTTLES:
        raise NotYet(f"{where}: asked to slow down ({response.status_code})", after=_retry_after(response))
    if response.status_code in CONFLICTS:
        raise Conflict(_said(response))
    if response.status_code == UNPROCESSABLE:
        raise Unprocessable(_said(response))
    if response.is_redirect:
        raise Moved(response)
    if 300 <= response.status_code < 500 and response.status_code not in UNKNOWN:
        raise Refused(_said(response))
    return response.raise_for_status()


async def pages(what: str, first: P, fetch: Callable[[P], Awaitable[tuple[list[Any], P | None]]]) -> AsyncIterator[Any]:
    """Every item of a list, read to its end: what is missing from a list that was cut short is unknown, and never "not there".

    `fetch` takes the place of a page (a cursor, an offset, a number); it returns the items, and the next place;
    None after the last page. Raises `Refused` for a list that does not end.
    """
    place: P | None = first
    for _ in range(MOST_PAGES):
        if place is None:
            return
        items, place = await fetch(place)
        for item in items:
            yield item
    if place is not None:
        raise Refused(f"{what} has more than {MOST_PAGES} pages, so that nobody can say what is not in it")


def error_code(response: httpx.Response) -> str:
    """The code in a JSON error; empty in an error page of something in between, where the status alone must do."""
    try:
        found = response.json()["error"]
        return str(found.get("code", "") if isinstance(found, dict) else found)
    except (ValueError, KeyError, TypeError):
        return ""


def _said(response: httpx.Response) -> str:
    return f"{response.request.method} {response.request.url.path}: {response.status_code} {redact(response.text[:2_000])[:300]}"


def _stamps(call: Call) -> dict[str, str]:
    paced = {"X-Pace": f"{call.pace:g}"} if call.pace != 1 else {}  # a drill: the practice platform goes along
    return {"X-Incident-Id": call.incident_id, "X-Workflow-Time": call.at.isoformat(), **paced}


def _retry_after(response: httpx.Response) -> timedelta | None:
    given = response.headers.get("Retry-After", "")
    if given.replace(".", "", 1).isdigit():
        return timedelta(seconds=min(float(given), LONGEST_WAIT))
    try:
        left = parsedate_to_datetime(given) - datetime.now(UTC)
    except (TypeError, ValueError):
        return None
    return min(max(left, timedelta(0)), timedelta(seconds=LONGEST_WAIT))
