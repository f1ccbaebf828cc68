"""Advisories: what several sources say of one, put together; and what is open for a repository (A.12 T1).

Where sources differ both are said. One that does not answer is named: what it would have said is unknown, and not none.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from activities.action import Call, NotYet, Order, Refused, System, Value, action
from activities.advisories.exploited import Epss, Kev
from activities.advisories.github import GitHubAdvisories
from activities.advisories.osv import Osv
from activities.advisories.seen import Advisory
from activities.kit.words.shell import Var, address, curl
from activities.kit.words.urls import path, query
from activities.organisation.catalogue import Deployed

T = TypeVar("T")
MOST_OPEN = 20


class AdvisoryOf(Order, target="advisory/{id}", effect="read {id} at OSV, GitHub, CISA and EPSS"):
    id: str

    def by_hand(self) -> tuple[str, ...]:
        return (curl("GET", address(Var("OSV_URL"), path("v1", "vulns", self.id))),)


class OpenAlerts(Order, target="repository/{service.name}", effect="read which advisories dependabot finds for {service.name}"):
    """What dependabot finds in what is used at runtime."""

    service: Deployed

    def by_hand(self) -> tuple[str, ...]:
        where = address(
            Var("GITHUB_URL"), path("repos", *self.service.repository.split("/"), "dependabot", "alerts"), query({"state": "open"})
        )
        return (curl("GET", where, ("Authorization: Bearer ", Var("GITHUB_TOKEN"))),)


class OpenAlert(Value):
    """`advisory`: its id at GitHub; `severity`: as GitHub says it."""

    advisory: str
    package: str
    severity: str
    patched: str


class AlertList(Value):
    alerts: tuple[OpenAlert, ...]
    more: int = 0

    @property
    def summary(self) -> str:
        return f"{len(self.alerts) + self.more} open advisories: " + ", ".join(f"{one.advisory} ({one.package})" for one in self.alerts[:5])


class Advisories(System):
    def __init__(self, osv: Osv, github: GitHubAdvisories, kev: Kev, epss: Epss) -> None:
        self._osv, self._github, self._kev, self._epss = osv, github, kev, epss

    @action("advisories.read")
    async def read(self, order: AdvisoryOf, call: Call) -> Advisory:
        """OSV's record, with what the others add. Refused: OSV has none of this id; nothing is judged on hearsay."""
        found = await self._osv.advisory(call, order.id)
        if not found.cve:
            return await self._reviewed(call, found)
        (due, no_kev), (score, no_epss) = await asyncio.gather(
            _told("CISA's catalogue", self._kev.due(call, found.cve)), _told("EPSS", self._epss.score(call, found.cve))
        )
        known = {"kev": None if no_kev else due is not None, "due": due or "", "epss": score}
        unknown = (*found.unknown, *filter(None, (no_kev, no_epss)))
        return await self._reviewed(call, found.model_copy(update={**known, "unknown": unknown}))

    @action("advisories.open")
    async def open_alerts(self, order: OpenAlerts, call: Call) -> AlertList:
        """The open ones, to the last page."""
        found = [_alert(one) for one in await self._github.open_alerts(call, order.service.repository)]
        return AlertList(alerts=tuple(found[:MOST_OPEN]), more=len(found[MOST_OPEN:]))

    async def _reviewed(self, call: Call, found: Advisory) -> Advisory:
        """What GitHub's reviewers say of the same: another fixed version, or that it was withdrawn."""
        if not found.ghsa:
            return found
        said, away = await _told("GitHub's advisories", self._github.advisory(call, found.ghsa))
        if said is None:
            return found.model_copy(update={"unknown": (*found.unknown, away)})
        differ = list(found.differ)
        if bool(said.get("withdrawn_at")) != bool(found.withdrawn):
            differ.append(
                "it is withdrawn at GitHub, and not at OSV" if said.get("withdrawn_at") else "it is withdrawn at OSV, and not at GitHub"
            )
        patched = {str(one["first_patched_version"]) for one in said.get("vulnerabilities") or [] if one.get("first_patched_version")}
        named = {one for package in found.packages for one in package.fixed}
        if patched != named:
            differ.append(
                f"fixed in {', '.join(sorted(named)) or 'no version'} at OSV, in {', '.join(sorted(patched)) or 'no version'} at GitHub"
            )
        return found.model_copy(update={"differ": tuple(differ)})


async def _told(who: str, asked: Awaitable[T]) -> tuple[T | None, str]:
    """The answer, and why there is none. A source that cannot be asked does not keep the others from being heard."""
    try:
        return await asked, ""
    except (Refused, NotYet) as no:
        return None, f"{who} says nothing: {no.message[:120]}"
    except Exception as broke:
        return None, f"{who} does not answer ({type(broke).__name__})"


def _alert(said: Mapping[str, Any]) -> OpenAlert:
    patched = said["security_vulnerability"].get("first_patched_version") or {}
    return OpenAlert(
        advisory=str(said["security_advisory"]["ghsa_id"]), package=str(said["dependency"]["package"]["name"]),
        severity=str(said["security_advisory"]["severity"]), patched=str(patched.get("identifier", "")),
    )  # fmt: skip
