"""Keycloak (Admin REST API): responders by a group of theirs; whoever else is in the restricted group rests in a third one.

Keycloak ends nobody's membership by itself: the end stands in an attribute of the responders' group, and one that has passed is said to have passed.
There are no versions: what broke off is finished by the next attempt, and nobody is taken out of one group before they are in the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from activities.access.responders import Access, AccessOf, AccessReading
from activities.action import Call, Refused
from activities.kit.http import HttpClient, pages
from activities.kit.rest import Json
from activities.kit.words.urls import path

PAGE = 100
UNTIL, BY = "incident-until", "incident"
SERVICE = "service-account-"


@dataclass(frozen=True)
class GroupNames:
    """What the three groups are called: `restricted` opens the data, `responders` as well, `resting` opens nothing."""

    restricted: str
    responders: str
    resting: str


@dataclass(frozen=True)
class _Group:
    """A group as it was read: its members, user name → id."""

    id: str
    name: str
    members: dict[str, str]
    until: datetime | None
    by: str


class KeycloakGroups:
    """`kept`: user names that keep what they have."""

    def __init__(self, http: HttpClient, names: GroupNames, kept: Iterable[str]) -> None:
        self._http, self._names, self._kept = http, names, frozenset(kept)

    async def read(self, call: Call, of: AccessOf) -> AccessReading:
        restricted, responders, resting = await self._groups(call, of.scope)
        until, open_ = responders.until, self._others(restricted)
        partly = bool(open_) if until else bool(resting.members or responders.members)
        return AccessReading(
            value=Access(people=tuple(sorted(responders.members)), until=until, partly=partly), changed_by=responders.by,
            resting=len(resting.members), ended=until is not None and until <= call.at,
        )  # fmt: skip

    async def write(self, call: Call, of: AccessOf, wanted: Access, over: AccessReading) -> None:
        restricted, responders, resting = await self._groups(call, of.scope)
        if wanted.until is None:
            for user in resting.members.values():
                await self._move(call, of.scope, user, resting.id, restricted.id)
            await self._set_members(call, of.scope, responders, {})
            await self._mark(call, of.scope, responders, {})
            return
        people = {name: await self._user(call, of.scope, name) for name in wanted.people}
        await self._set_members(call, of.scope, responders, people)
        await self._mark(call, of.scope, responders, {UNTIL: [wanted.until.isoformat()], BY: [call.incident_id]})
        for user in self._others(restricted).values():
            await self._move(call, of.scope, user, restricted.id, resting.id)

    async def tested(self, call: Call, of: AccessOf) -> str:
        return "Keycloak does not end it by itself"

    async def _groups(self, call: Call, realm: str) -> tuple[_Group, _Group, _Group]:
        names = self._names
        restricted, responders, resting = [
            await self._group(call, realm, name) for name in (names.restricted, names.responders, names.resting)
        ]
        return restricted, responders, resting

    async def _group(self, call: Call, realm: str, name: str) -> _Group:
        found = (await self._http.read(call, _of(realm, "groups"), search=name, exact="true", briefRepresentation="false")).json()
        one = next((one for one in found if one["name"] == name), None)
        if one is None:
            raise Refused(f"realm {realm} has no group {name}")

        async def page(first: int) -> tuple[list[Json], int | None]:
            said: list[Json] = (await self._http.read(call, _of(realm, "groups", one["id"], "members"), first=first, max=PAGE)).json()
            return said, first + PAGE if len(said) == PAGE else None

        members = {user["username"]: user["id"] async for user in pages(f"the group {name}", 0, page)}
        attributes = one.get("attributes") or {}
        return _Group(one["id"], name, members, _instant(attributes.get(UNTIL)), next(iter(attributes.get(BY) or ()), ""))

    def _others(self, restricted: _Group) -> dict[str, str]:
        return {name: id for name, id in restricted.members.items() if name not in self._kept and not name.startswith(SERVICE)}

    async def _user(self, call: Call, realm: str, name: str) -> str:
        said: list[Json] = (await self._http.read(call, _of(realm, "users"), username=name, exact="true")).json()
        found = [one for one in said if one["username"] == name]
        if len(found) != 1:
            raise Refused(f"one of the responders is no user of realm {realm}")
        return str(found[0]["id"])

    async def _set_members(self, call: Call, realm: str, group: _Group, wanted: dict[str, str]) -> None:
        for name, user in wanted.items():
            if name not in group.members:
                await self._http.write(call, "PUT", _of(realm, "users", user, "groups", group.id))
        for name, user in group.members.items():
            if name not in wanted:
                await self._http.write(call, "DELETE", _of(realm, "users", user, "groups", group.id))

    async def _move(self, call: Call, realm: str, user: str, old: str, new: str) -> None:
        await self._http.write(call, "PUT", _of(realm, "users", user, "groups", new))
        await self._http.write(call, "DELETE", _of(realm, "users", user, "groups", old))

    async def _mark(self, call: Call, realm: str, group: _Group, attributes: dict[str, list[str]]) -> None:
        """Other attributes of the group are its owner's: they stay."""
        now: Json = (await self._http.read(call, _of(realm, "groups", group.id))).json()
        kept = {name: value for name, value in (now.get("attributes") or {}).items() if name not in (UNTIL, BY)}
        wanted = {"name": now["name"], "attributes": {**kept, **attributes}}
        await self._http.write(call, "PUT", _of(realm, "groups", group.id), json=wanted)


def _of(realm: str, *below: str) -> str:
    return path("admin", "realms", realm, *below)


def _instant(said: list[str] | None) -> datetime | None:
    """Raises `Refused` for an end that nobody can read: it would look like none."""
    if not said:
        return None
    try:
        return datetime.fromisoformat(said[0])
    except ValueError:
        raise Refused(f"the end of the responders' access cannot be read: {said[0][:40]!r}") from None
