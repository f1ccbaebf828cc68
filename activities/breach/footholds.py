"""What an intruder has left behind: looked for class by class, switched off and kept, proven by trying to come in (A.4 T2, M7).

A class that nobody could look through is *not checked*; none is ever called clean.
"""

from datetime import datetime
from typing import Literal

from activities.action import Call, NotYet, Risk, Role, System, Value, action
from activities.breach.planes import FootholdLook, FootholdPlane, FootholdResource
from activities.kit.rest import RestSetting
from activities.kit.setting import Change, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Command, Var, address, command, comment, curl
from activities.kit.words.urls import path

Kind = Literal["identity", "key", "oauth", "mail_rule", "ci", "schedule", "agent"]
NAMES: dict[Kind, str] = {
    "identity": "new users and roles", "key": "new keys", "oauth": "OAuth apps", "mail_rule": "mail rules", "ci": "CI workflows",
    "schedule": "scheduled jobs", "agent": "agent configurations",
}  # fmt: skip
ONE: dict[Kind, str] = {
    "identity": "user", "key": "key", "oauth": "OAuth app", "mail_rule": "mail rule", "ci": "CI workflow", "schedule": "scheduled job",
    "agent": "agent configuration",
}  # fmt: skip
BOTH = (Role.SECURITY_LEAD, Role.INCIDENT_COMMANDER)


class HuntOf(FootholdLook, effect="look for what was left behind since {since:%Y-%m-%d %H:%M} UTC, class by class", path="footholds"):
    since: datetime

    def asked(self) -> dict[str, str]:
        return {"since": self.since.isoformat()}


class FootholdSeen(Value):
    """One thing to come back by. `reads_chat`: whoever holds it can read our chat."""

    id: str
    kind: Kind
    name: str
    made_at: datetime
    reads_chat: bool
    enabled: bool

    @property
    def in_words(self) -> str:
        return f"{ONE[self.kind]} {self.name}"

    def by_hand(self) -> tuple[Command, ...]:
        """How people switch it off where its own product has a command for that."""
        name = self.name
        return {
            "identity": (command("gcloud", "iam", "service-accounts", "disable", name),),
            "key": (command("gcloud", "iam", "service-accounts", "keys", "disable", name, "--iam-account", Var("SERVICE_ACCOUNT")),),
            "oauth": (comment(f"revoke the grant of {name} in the admin console, and keep its record"),),
            "mail_rule": (comment(f"switch the mail rule {name} off in the mailbox, after exporting it"),),
            "ci": (command("gh", "workflow", "disable", name),),
            "schedule": (command("gcloud", "scheduler", "jobs", "pause", name),),
            "agent": (comment(f"put the configuration {name} back to the version before, and keep this one"),),
        }[self.kind]  # fmt: skip


class Checked(Value):
    """One class. `checked`: all of it was looked through."""

    kind: Kind
    checked: bool
    found: int

    @property
    def in_words(self) -> str:
        return f"{NAMES[self.kind]}: {f'checked, {self.found} found' if self.checked else 'not checked'}"


class Hunt(Value):
    classes: tuple[Checked, ...]
    found: tuple[FootholdSeen, ...]

    @property
    def alive(self) -> tuple[FootholdSeen, ...]:
        return tuple(one for one in self.found if one.enabled)

    @property
    def unchecked(self) -> tuple[Kind, ...]:
        """Of every class that there is: what an answer does not name was not checked either."""
        checked = {one.kind for one in self.classes if one.checked}
        return tuple(kind for kind in NAMES if kind not in checked)

    @property
    def in_words(self) -> str:
        known = {one.kind: one for one in self.classes}
        return "; ".join(known.get(kind, Checked(kind=kind, checked=False, found=0)).in_words for kind in NAMES)


class Hunts(System):
    def __init__(self, plane: FootholdPlane) -> None:
        self._plane = plane

    @action("footholds.hunt")
    async def hunt(self, order: HuntOf, call: Call) -> Hunt:
        """Every class, and every thing that was found, to the end of the list."""
        said = await self._plane.get(call, path("v1", "classes"), **order.asked())
        classes = tuple(Checked.model_validate(row) for row in said["classes"])
        rows = await self._plane.all(call, order.path, "footholds", **order.asked())
        return Hunt(classes=classes, found=tuple(FootholdSeen.model_validate(row) for row in rows))


class FootholdOf(FootholdResource, path="footholds/{foothold}/state", called="{name}"):
    """`name`: as people call it, with what it is."""

    foothold: str
    kind: Kind
    name: str

    def target(self) -> str:
        return f"foothold/{self.foothold}"

    def assets(self) -> tuple[str, ...]:
        return (self.foothold, *self.name.split())  # its own name stands behind what it is

    def try_by_hand(self) -> Command:
        where = address(self.base, path("v1", "footholds", self.foothold, "try"))
        return curl("POST", where, ("Authorization: Bearer ", self.token))


class Works(SettingValue):
    """Whether it works. What is switched off is kept as it is: it is evidence."""

    enabled: bool

    def __str__(self) -> str:
        return "switched on" if self.enabled else "switched off, and kept"

    def effect(self, of: FootholdOf) -> str:
        return f"{of} is {self}"

    def back(self, of: FootholdOf) -> str:
        return f"{of} is {self} again"


class Evictions(
    RestSetting[FootholdOf, Works], read="footholds.look", change="footholds.evict", restore="footholds.put_back", risk=Risk.C3,
    restore_risk=Risk.C3, asks=BOTH, contains=True,
):  # fmt: skip
    """Each switched off, and tried: nobody comes in by it. Nothing is deleted."""

    def __init__(self, plane: FootholdPlane) -> None:
        self.rest: FootholdPlane = plane

    async def shown(self, call: Call, of: FootholdOf, value: Works) -> str:
        lets_in = await self.rest.lets_in(call, of.foothold)
        if lets_in and not value.enabled:
            raise NotYet(f"accepted, but somebody still comes in by {of}", after=SOON)
        return f"tried from an isolated place: somebody {'comes' if lets_in else 'does not come'} in by it"


EVICTED = Evictions.measure("foothold evicted", sticky=True)


def evict(one: FootholdSeen, why: str = "") -> Change[FootholdOf, Works]:
    """The order that switches it off."""
    return Evictions.order(FootholdOf(foothold=one.id, kind=one.kind, name=f"the {one.in_words}"), Works(enabled=False), why=why)
