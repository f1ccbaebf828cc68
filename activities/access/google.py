"""Google IAM: responders by bindings that end, everybody else's bindings at rest.

What is taken away stays in the policy, with an end that has long passed: it gives nothing, everybody sees it, and it can be given back exactly as
it was, whatever happens to us. Nobody's name leaves Google for it. No end can be put to basic roles and to the public: these are named.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from activities.access.by_hand import TITLE, ends_at, member
from activities.access.project_policy import SET_POLICY, Json, ProjectPolicies
from activities.access.responders import Access, AccessOf, AccessReading
from activities.action import Call, NotYet, Refused
from activities.kit.setting.write import SOON

MASK = "bindings,etag,version"
RESTING = "incident-playbooks: at rest"
PAST = 'request.time < timestamp("2001-01-01T00:00:00Z")'
ENDS = re.compile(r'request\.time < timestamp\("([^"]+)"\)')
BASIC = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
PUBLIC = ("allUsers", "allAuthenticatedUsers")
NO_PEOPLE = re.compile(r"serviceAccount:|deleted:|.*/workloadIdentityPools/")  # they run the product
ADDRESS = re.compile(r"(?:group:)?[^@\s:,\"\\]{1,64}@[A-Za-z0-9.-]{1,253}")


class GoogleAccess:
    """`restricted`: the roles that rest meanwhile, `role`: what responders get; `kept`: members who keep what they have, as break-glass."""

    def __init__(self, policies: ProjectPolicies, restricted: Iterable[str], role: str, kept: Iterable[str]) -> None:
        self._policies, self._restricted, self._role, self._kept = policies, frozenset(restricted), role, frozenset(kept)

    async def read(self, call: Call, of: AccessOf) -> AccessReading:
        return self._understood(call, await self._policies.read(call, of.scope))

    async def write(self, call: Call, of: AccessOf, wanted: Access, over: AccessReading) -> None:
        """The whole policy, with this part changed."""
        policy = await self._policies.read(call, of.scope)
        policy["etag"] = over.version
        bindings = [one for one in policy.get("bindings", []) if not _ours(one)]
        if wanted.until is None:
            bindings = _merged(map(_woken, bindings))
        else:
            self._people(wanted)
            bindings = _merged(part for one in bindings for part in self._parted(one))
            bindings.append(
                {
                    "role": self._role, "members": sorted(map(member, wanted.people)),
                    "condition": {"title": TITLE, "description": call.incident_id, "expression": ends_at(wanted.until.astimezone(UTC))},
                }
            )  # fmt: skip
        await self._policies.write(call, of.scope, {**policy, "bindings": bindings}, mask=MASK)

    async def tested(self, call: Call, of: AccessOf) -> str:
        """Whether we may give it all back."""
        if not await self.may_change(call, of.scope):
            raise NotYet(
                f"accepted, but we may not change the policy of {of.scope} any more: nobody could be given back what rests", after=SOON
            )
        return "we may give it back"

    async def may_change(self, call: Call, project: str) -> bool:
        return SET_POLICY in await self._policies.may(call, project, SET_POLICY)

    def _understood(self, call: Call, policy: Json) -> AccessReading:
        bindings: list[Json] = policy.get("bindings", [])
        ours, resting = [one for one in bindings if _ours(one)], [one for one in bindings if _rests(one)]
        until = _end(ours[0]) if ours else None
        people = tuple(sorted({name.removeprefix("user:") for one in ours for name in one["members"]}))
        active = [part for one in bindings if not _ours(one) and not _rests(one) for part in self._parted(one) if _rests(part)]
        partly = (len(ours) > 1 or until is None or bool(active)) if ours else bool(resting)
        said = (ours[0].get("condition") or {}).get("description", "") if ours else ""
        return AccessReading(
            value=Access(people=people, until=until, partly=partly), version=policy["etag"], changed_by=said,
            resting=sum(len(one["members"]) for one in resting), unbound=self._unbound(bindings) if ours or not resting else (),
            ended=until is not None and until <= call.at, beside=self._beside(bindings),
        )  # fmt: skip

    def _parted(self, binding: Json) -> list[Json]:
        """A binding of a restricted role, as who keeps it and who rests."""
        if binding["role"] not in self._restricted or _rests(binding) or _ours(binding):
            return [binding]
        rests = [name for name in binding["members"] if not self._keeps(name)]
        keeps = [name for name in binding["members"] if name not in rests]
        parts = [{**binding, "members": keeps}] if keeps else []
        return parts + ([_at_rest({**binding, "members": rests})] if rests else [])

    def _keeps(self, name: str) -> bool:
        return name in self._kept or name in PUBLIC or bool(NO_PEOPLE.match(name))

    def _unbound(self, bindings: list[Json]) -> tuple[str, ...]:
        """People with a basic role, and the public: Google takes no conditions for them."""
        basic = [(one["role"], name) for one in bindings if one["role"] in BASIC & self._restricted for name in one["members"]]
        counted = {role: sum(1 for of, name in basic if of == role and not self._keeps(name)) for role, _ in basic}
        public = [one["role"] for one in bindings if one["role"] in self._restricted and set(PUBLIC) & set(one["members"])]
        return tuple(f"{role} of {n} members" for role, n in counted.items() if n) + tuple(f"{role} of the public" for role in public)

    def _beside(self, bindings: list[Json]) -> int:
        """How many people have a basic role that is not among those that rest: it gives them more than any of these."""
        return len(
            {name for one in bindings if one["role"] in BASIC - self._restricted for name in one["members"] if not self._keeps(name)}
        )

    def _people(self, wanted: Access) -> None:
        wrong = sum(1 for one in wanted.people if not ADDRESS.fullmatch(one))
        if wrong:
            raise Refused(f"{wrong} of the responders are no addresses as Google knows them: dana@example.com, group:security@example.com")


def _ours(binding: Json) -> bool:
    return (binding.get("condition") or {}).get("title") == TITLE


def _rests(binding: Json) -> bool:
    return PAST in (binding.get("condition") or {}).get("expression", "")


def _at_rest(binding: Json) -> Json:
    """The same, with an end that has passed; a condition that it had stays in it whole."""
    condition = binding.get("condition")
    if condition is None:
        return {**binding, "condition": {"title": RESTING, "expression": PAST}}
    return {**binding, "condition": {**condition, "expression": f"({condition['expression']}) && {PAST}"}}


def _woken(binding: Json) -> Json:
    """As it was before it was put to rest."""
    condition = binding.get("condition") or {}
    if not _rests(binding):
        return binding
    before = condition["expression"].removesuffix(PAST).removesuffix(" && ")
    if not before:
        return {name: value for name, value in binding.items() if name != "condition"}
    return {**binding, "condition": {**condition, "expression": before.removeprefix("(").removesuffix(")")}}


def _merged(bindings: Iterable[Json]) -> list[Json]:
    """One binding for each role and condition, as Google keeps them."""
    found: dict[str, Json] = {}
    for one in bindings:
        key = f"{one['role']} {one.get('condition')}"
        members = dict.fromkeys([*(found[key]["members"] if key in found else []), *one["members"]])
        found[key] = {**one, "members": list(members)}
    return list(found.values())


def _end(binding: Json) -> datetime | None:
    met = ENDS.fullmatch((binding.get("condition") or {}).get("expression", ""))
    try:
        return datetime.fromisoformat(met[1].replace("Z", "+00:00")) if met else None
    except ValueError:
        return None
