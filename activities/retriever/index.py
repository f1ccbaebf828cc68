"""The index: built beside the one in use, asked the golden queries, and then used (A.11 M6). The one before is kept."""

from typing import Any, ClassVar

from activities.action import Call, Order, Refused, Risk, Role
from activities.kit.clock import Clock
from activities.kit.operation import At, Operation, Progress
from activities.kit.rest import Json, RestSetting
from activities.kit.setting import Change, Restore, SettingValue
from activities.kit.words.shell import Command, address, curl
from activities.kit.words.urls import path
from activities.organisation.numbers import CachePoisoning, Ratio
from activities.retriever.plane import BASE, TOKEN, DomainResource, DomainSetting, Known, Retriever

STATES = {"running": At.RUNNING, "done": At.DONE, "failed": At.FAILED}


def well(golden: float | None, least: float) -> bool:
    """Whether enough golden queries were answered well. What is no number says nothing."""
    return golden is not None and golden >= least


async def begun(retriever: Retriever, call: Call) -> str | None:
    """The operation that was begun under our key."""
    found = (await retriever.get(call, path("v1", "operations"), key=call.key))["operations"]
    return str(found[0]["id"]) if found else None


async def seen(retriever: Retriever, call: Call, id: str) -> Json:
    """An operation as it is now."""
    return await retriever.get(call, path("v1", "operations", id))


def begin_by_hand(domain: str, kind: str, body: Json) -> Command:
    return curl("POST", address(BASE, path("v1", "domains", domain, kind)), ("Authorization: Bearer ", TOKEN), body=body)


class BuildIndex(
    Order, target="domain/{domain}/index", effect="build an index of {domain} beside the one in use, and ask it the golden queries"
):
    """Of everything that is not in quarantine."""

    undone = "nothing to undo: nobody is answered from it"

    domain: str
    golden: Ratio = CachePoisoning().golden

    def by_hand(self) -> tuple[str, ...]:
        return (begin_by_hand(self.domain, "builds", {"key": "by-hand"}),)


class Builds(Operation[BuildIndex], name="retriever.build_index", risk=Risk.C1, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER)):
    """Builds of an index. One that answers too few golden queries well has failed."""

    def __init__(self, retriever: Retriever, clock: Clock) -> None:
        self._retriever, self.clock = retriever, clock

    async def find(self, call: Call, order: BuildIndex) -> str | None:
        return await begun(self._retriever, call)

    async def start(self, call: Call, order: BuildIndex) -> str:
        return str((await self._retriever.post(call, path("v1", "domains", order.domain, "builds"), {"key": call.key}))["id"])

    async def status(self, call: Call, order: BuildIndex, id: str) -> Progress:
        now = await seen(self._retriever, call, id)
        golden = now.get("golden")
        if now["state"] == "done" and not well(golden, order.golden):
            said = "nobody asked it the golden queries" if golden is None else f"it answers {golden:.1%} of the golden queries well"
            return Progress(at=At.FAILED, says=f"{said}; {order.golden:.0%} are wanted")
        says = f"index {now.get('build')}, {golden:.1%} of the golden queries are answered well" if golden is not None else now["says"]
        return Progress(at=STATES.get(now["state"], At.UNKNOWN), says=says, after={"index": now.get("build"), "golden": golden})

    async def verify(self, call: Call, order: BuildIndex, id: str) -> str:
        now = await seen(self._retriever, call, id)
        built = (await self._retriever.get(call, path("v1", "domains", order.domain)))["builds"]
        if now.get("build") not in built:
            raise Refused(f"{order.domain} does not have the index {now.get('build')}")
        return f"{order.domain} has it, beside the one in use"


class AliasOf(DomainResource, path="domains/{domain}/alias", called="the index of {domain}"):
    pass


class Alias(
    SettingValue, says="{index}", effect="answer {of.domain} from index {index}", back="answer {of.domain} from index {index} again"
):
    """The index in use. `golden`: what it has shown."""

    volatile: ClassVar[frozenset[str]] = frozenset({"golden", "least"})

    index: str
    golden: float | None = None
    least: float = CachePoisoning().golden

    def same(self, other: "Alias") -> bool:
        return self.index == other.index


class Aliases(
    DomainSetting, RestSetting[AliasOf, Alias], read="retriever.index", change="retriever.swap_index", restore="retriever.swap_back",
    risk=Risk.C2, asks=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER),
):  # fmt: skip
    """Which index is used."""

    async def check(self, call: Call, order: Change[AliasOf, Alias] | Restore[AliasOf, Alias], to: Alias) -> None:
        """Only what has answered the golden queries; back to what was in use is always allowed."""
        if isinstance(order, Change) and not well(to.golden, to.least):
            raise Refused(f"index {to.index} has not answered {to.least:.0%} of the golden queries well: it is not used")

    def otherwise(self, value: Alias, known: Known) -> str:
        return f"answers from index {known['index']}" if known["index"] != value.index else ""


SWAPPED = Aliases.measure("index swapped", own_end=True)


def swap(domain: str, built: dict[str, Any], numbers: CachePoisoning) -> Change[AliasOf, Alias]:
    """To what a build has left (`Effect.after`)."""
    wanted = Alias(index=str(built.get("index") or "that was just built"), golden=built.get("golden"), least=numbers.golden)
    return Aliases.order(AliasOf(domain=domain), wanted)
