"""The API of OSV (google.github.io/osv.dev/api): an advisory by its id, and every advisory that concerns a version. It is open, and read only."""

import re
from datetime import datetime
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

from activities.action import Call, Refused
from activities.advisories.ranges import wrong
from activities.advisories.seen import PYPI, Advisory, AffectedPackage, Bound
from activities.kit.http import NOT_FOUND, HttpClient, outcome, pages
from activities.kit.words.redact import redact
from activities.kit.words.urls import path

Json = dict[str, Any]
EVENTS = ("introduced", "fixed", "last_affected", "limit")
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
LONGEST_LIST = 400  # versions of one package that an advisory may list and we keep: a longer one is unreadable
MOST_IOCS = 50


class Osv:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def advisory(self, call: Call, id: str) -> Advisory:
        """Raises `Refused` for one that the database does not have, or that cannot be read."""
        answer = await self._http.ask(call, "GET", path("v1", "vulns", id))
        if answer.status_code == NOT_FOUND:
            raise Refused(f"OSV has no advisory {id}")
        return understood(outcome(answer).json())

    async def of_version(self, call: Call, ecosystem: str, name: str, version: str) -> list[str]:
        """The ids of every advisory that concerns this version, as the database itself decides it; to the last page."""

        async def page(token: str) -> tuple[list[str], str | None]:
            asked: Json = {"version": version, "package": {"name": name, "ecosystem": ecosystem}}
            said = outcome(
                await self._http.ask(call, "POST", "/v1/query", json={**asked, **({"page_token": token} if token else {})})
            ).json()
            return [str(one["id"]) for one in said.get("vulns") or []], said.get("next_page_token") or None

        return [one async for one in pages(f"OSV's advisories of {name} {version}", "", page)]


def understood(record: Json) -> Advisory:
    """An OSV record in our words. Raises `Refused` for what is none."""
    try:
        packages = tuple(_package(one) for one in record.get("affected") or [] if one.get("package"))
        score, unread = _score(record.get("severity") or [])
        unknown = (*unread, *(f"{one.name}: {said}" for one in packages for said in one.unreadable))
        return Advisory(
            id=str(record["id"]), aliases=tuple(map(str, record.get("aliases") or [])), malicious=str(record["id"]).startswith("MAL-"),
            summary=redact(str(record.get("summary") or ""))[:200], published=_instant(record.get("published")),
            withdrawn=_instant(record.get("withdrawn")), packages=packages, cvss=score, iocs=_iocs(record), unknown=unknown,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError, ValueError) as broken:
        raise Refused(f"OSV's record cannot be read: {type(broken).__name__}: {broken}") from None


def _package(affected: Json) -> AffectedPackage:
    package, ranges, unreadable = affected["package"], list[tuple[Bound, ...]](), list[str]()
    ecosystem = str(package["ecosystem"]).partition(":")[0]
    for one in affected.get("ranges") or []:
        if one.get("type") == "GIT":
            continue  # commits, beside the versions
        events = tuple(Bound(event=name, version=str(event[name])) for event in one.get("events") or [] for name in EVENTS if name in event)
        why = wrong(events) if ecosystem == PYPI else ""
        if why:
            unreadable.append(f"a wrong range: {why}")
        else:
            ranges.append(events)
    versions = tuple(map(str, affected.get("versions") or []))
    if len(versions) > LONGEST_LIST:
        unreadable.append(f"{len(versions)} versions are listed, of which we keep {LONGEST_LIST}")
    return AffectedPackage(
        ecosystem=ecosystem, name=str(package["name"]), ranges=tuple(ranges), versions=versions[:LONGEST_LIST], unreadable=tuple(unreadable)
    )


def _score(severities: list[Json]) -> tuple[float | None, tuple[str, ...]]:
    """The highest base score of its vectors, and what could not be read of them."""
    scores, unread = list[float](), list[str]()
    for one in severities:
        vector = str(one.get("score") or "")
        try:
            kind = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}[str(one.get("type"))]
            scores.append(float(kind(vector).base_score))
        except (CVSSError, KeyError, TypeError, ValueError):
            unread.append(f"its severity {vector[:80]!r} cannot be read")
    return max(scores, default=None), tuple(unread)


def _iocs(record: Json) -> tuple[str, ...]:
    """Hosts, as the database of malicious packages lists them. What is no full name of a host is not denied by us, and left out."""
    found = (record.get("database_specific") or {}).get("iocs") or {}
    return tuple(one for one in map(str, found.get("domains") or []) if HOST.fullmatch(one))[:MOST_IOCS]


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None
