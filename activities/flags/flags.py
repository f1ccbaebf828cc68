"""Feature flags: switch a feature off, prove it where a customer would meet it, and restore it (S-FLAG)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

from activities.action import Call, NotYet, Risk
from activities.kit.setting import Change, Reading, Resource, Setting, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Command, Var, command, curl
from activities.kit.words.urls import segment
from activities.organisation.policy import Policy
from activities.product.app_plane import AppPlane

HIGH_PSU = "tools.high_psu"
# What the product runs by itself while a flag is on.
PARTS = MappingProxyType({"scheduler.enabled": "scheduler", "batch.enabled": "batch", "orchestrator.autonomy": "autonomy"})

FLAGD = Var("FLAGD_FILE")
# The file is locked as we lock it, and replaced at once; what stands beside the flag stays as it is.
SHOW = "import json,sys; f=json.load(open(sys.argv[1]))['flags'][sys.argv[2]]; print(f['state'],f['variants'][f['defaultVariant']])"
SWITCH = (
    "import json,os,shutil,sys; p=os.path.realpath(sys.argv[1]); d=json.load(open(p)); f=d['flags'][sys.argv[2]]; on=sys.argv[3]=='on'; "
    "assert f['state']=='ENABLED' and not f.get('targeting'), 'its state or its targeting decides'; "
    "f['defaultVariant']=next(n for n,v in f['variants'].items() if v is on); n=p+'.by-hand'; "
    "open(n,'w').write(json.dumps(d,indent=2,ensure_ascii=False)); shutil.copymode(p,n); os.replace(n,p)"
)


def _by_unleash(flag: str, on: bool | None) -> Command:
    way = () if on is None else ("/environments/", Var("UNLEASH_ENVIRONMENT"), "/on" if on else "/off")
    url = (Var("UNLEASH_URL"), "/api/admin/projects/", Var("UNLEASH_PROJECT"), f"/features/{segment(flag)}", *way)
    return curl("GET" if on is None else "POST", url, ("Authorization: ", Var("UNLEASH_TOKEN")))


def _by_flagd(flag: str, on: bool | None) -> Command:
    if on is None:
        return command("python3", "-c", SHOW, FLAGD, flag)
    return command("flock", "-w", "10", (FLAGD, ".lock"), "python3", "-c", SWITCH, FLAGD, flag, "on" if on else "off")


# How a person reads a flag (None) or switches it without us, for each flag store.
BY_HAND: Mapping[str, Callable[[str, bool | None], Command]] = MappingProxyType({"unleash": _by_unleash, "flagd": _by_flagd})


class Flag(Resource):
    """A flag, and the flag store that it is kept in: a person's commands depend on it."""

    flag: str
    store: Literal["unleash", "flagd"] = "unleash"

    def __str__(self) -> str:
        return self.flag

    def target(self) -> str:
        return f"flag/{self.flag}"

    def read_by_hand(self) -> tuple[str, ...]:
        return (BY_HAND[self.store](self.flag, None),)

    def write_by_hand(self, value: "Switch", prior: object = None) -> tuple[str, ...]:
        return (BY_HAND[self.store](self.flag, value.on),)


class Switch(SettingValue, effect="switch {of} {self} in production"):
    """On or off for everybody in one environment."""

    on: bool

    def __str__(self) -> str:
        return "on" if self.on else "off"

    def back(self, of: Flag) -> str:
        return f"switch {of} on again" if self.on else f"leave {of} off, as it was"


class FlagReading(Reading[Switch]):
    """A flag as it was read. `store_version`: of everything in the store together, where flags have no version of their own."""

    store_version: str = ""


class FlagStore(Protocol):
    """Where flags are kept: the port. One client is chosen in `organisation.toml`, `[policy.systems]`."""

    async def read(self, call: Call, flag: str) -> FlagReading:
        """The flag in our environment. Raises `Refused` where the store cannot say whether it is on for everybody."""

    async def write(self, call: Call, flag: str, over: FlagReading, *, on: bool) -> None:
        """Switch it. Raises `Conflict` when it is not what was read, where the store can tell."""

    async def shown_to_clients(self, call: Call, flag: str) -> bool | None:
        """What applications are told; None where the store cannot say that by another path than `read`."""


class Flags(Setting[Flag, Switch, FlagReading], read="flags.read", change="flags.switch_off", restore="flags.restore", risk=Risk.C1):
    """Flags, proven by the product's own plane: what a customer meets, not what the flag store says of itself."""

    def __init__(self, store: FlagStore, app: AppPlane) -> None:
        self._store, self._app = store, app

    async def look_at(self, call: Call, of: Flag) -> FlagReading:
        return await self._store.read(call, of.flag)

    async def write(self, call: Call, of: Flag, wanted: Switch, over: FlagReading, epoch: int) -> None:
        await self._store.write(call, of.flag, over, on=wanted.on)

    async def shown(self, call: Call, of: Flag, value: Switch) -> str:
        """Where it was seen. Raises `NotYet` while the product behaves otherwise (A.2 M4, R3)."""
        met, where = await self._outside(call, of.flag)
        if met is None:
            return "nothing outside the flag store shows it"
        if met != value.on:
            raise NotYet(f"{of} is {value}, but {where} still shows it {Switch(on=met)}", after=SOON)
        return f"{where} shows it {value}"

    async def _outside(self, call: Call, flag: str) -> tuple[bool | None, str]:
        if flag == HIGH_PSU:
            return await self._app.high_psu_tool_answers(call), "the product"
        if part := PARTS.get(flag):
            return await self._app.running(call, part), "the product"
        return await self._store.shown_to_clients(call, flag), "what applications are told"


SWITCHED_OFF = Flags.measure("switched off")


def switch_off(flag: str, why: str, policy: Policy) -> Change[Flag, Switch]:
    """The order that switches a flag off.

    A store that nobody knows is refused where the order is carried out, with the name that was meant (`worker/systems.py`); an order must
    not fail a playbook for it.
    """
    named = policy.systems.get("flags", "unleash")
    return Flags.order(Flag(flag=flag, store=named if named in BY_HAND else "unleash"), Switch(on=False), why=why)
