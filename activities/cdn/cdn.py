"""The CDN: a path goes past it, or its keys get another generation, so that nothing that was kept is found (A.5 M5). A purge has no verb.

What was kept is sampled before (headers, never content), and stays at the CDN until it is too old: it is evidence.
"""

import gzip
import json
from datetime import timedelta
from typing import Self

from activities.action import Call, Effect, NotYet, Refused, Risk, Role, System, action
from activities.evidence.store import EvidenceStore
from activities.kit.clock import Clock
from activities.kit.rest import RestClient, RestLook, RestResource, RestSetting
from activities.kit.setting import Change, Reading, SettingValue
from activities.kit.setting.write import SOON
from activities.kit.words.shell import Var, command, pipe
from activities.organisation.numbers import EvidenceHold

BASE, TOKEN = Var("CDN_URL"), Var("CDN_TOKEN")
WHO = (Role.OPS_LEAD, Role.INCIDENT_COMMANDER)


class Cdn(RestClient):
    """The client."""


class PathResource(RestResource):
    base, token = BASE, TOKEN

    kept_path: str

    def target(self) -> str:
        return f"cdn/{self.kept_path}/{self.parts()[-1]}"


class SamplesOf(
    RestLook, target="cdn/{kept_path}", effect="read the headers of what the CDN has kept of {kept_path}", path="paths/{kept_path}/samples"
):
    base, token = BASE, TOKEN

    kept_path: str


class SampleExport(SamplesOf, effect="keep as evidence the headers of what the CDN has kept of {kept_path}"):
    """Before its keys get another generation (INV-1)."""

    undone = "nothing to undo: it only reads; what is kept stays"

    incident_id: str
    held_for: timedelta = EvidenceHold().held_for  # real time

    def by_hand(self) -> tuple[str, ...]:
        return (pipe(self.command(), command("tee", "cdn-headers.json"), command("sha256sum")),)


class BypassOf(PathResource, path="paths/{kept_path}/bypass", called="the CDN before {kept_path}"):
    pass


class Bypass(SettingValue):
    """Whether requests go past the CDN."""

    on: bool

    def __str__(self) -> str:
        return "is passed by" if self.on else "answers"

    def effect(self, of: BypassOf) -> str:
        return f"let requests for {of.kept_path} go past the CDN, to the origin" if self.on else f"{of} answers"

    def back(self, of: BypassOf) -> str:
        return f"{of} answers again" if not self.on else f"{of} is passed by, as it was"

    def met(self, now: Self) -> bool:
        return now.on >= self.on

    def both(self, other: Self) -> Self:
        return self if self.on else other


class Bypasses(
    RestSetting[BypassOf, Bypass], read="cdn.bypass_of", change="cdn.bypass", restore="cdn.use_again", risk=Risk.C1, restore_risk=Risk.C2,
    asks=WHO, contains=True,
):  # fmt: skip
    """Paths that go past the CDN, proven by headers that the CDN has not answered with."""

    values_compare = True  # on or off: there is no third value by which a change between would show

    def __init__(self, cdn: Cdn) -> None:
        self.rest = cdn


class GenerationOf(PathResource, path="paths/{kept_path}/generation", called="the generation of {kept_path} at the CDN"):
    pass


class Generation(
    SettingValue, says="generation {number}", effect="give {of.kept_path} {self} at the CDN: nothing that was kept before is found"
):
    number: int

    def back(self, of: GenerationOf) -> str:
        return f"find what was kept under generation {self.number} again"


class Generations(
    RestSetting[GenerationOf, Generation], read="cdn.generation", change="cdn.bump_generation", restore="cdn.bump_back", risk=Risk.C1,
    restore_risk=Risk.C3, asks=WHO, contains=True,
):  # fmt: skip
    """Generations of keys, proven by samples under the new one. Going back would find again what has crossed: two people say so."""

    def __init__(self, cdn: Cdn, clock: Clock) -> None:
        self.rest, self.clock = cdn, clock

    async def shown(self, call: Call, of: GenerationOf, value: Generation) -> str:
        kept = (await self.rest.look(call, SamplesOf(kept_path=of.kept_path)))["samples"]
        old = [one["key"] for one in kept if not one["key"].startswith(f"g{value.number}/")]
        if old:
            raise NotYet(f"accepted, but {len(old)} of {len(kept)} samples are of another generation", after=SOON)
        return f"{len(kept)} samples are of generation {value.number}"


class CdnEvidence(System):
    def __init__(self, cdn: Cdn, store: EvidenceStore) -> None:
        self._cdn, self._store = cdn, store

    @action("evidence.cdn", writes=True)
    async def keep(self, order: SampleExport, call: Call) -> Effect:
        """Headers of what is kept, with whose it is and who was given it."""
        kept = (await self._cdn.look(call, order))["samples"]
        if not kept:
            raise Refused(f"the CDN shows nothing of {order.kept_path}")
        raw = gzip.compress(json.dumps(kept, sort_keys=True).encode(), mtime=0)
        there = await self._store.keep(call, f"cdn/{order.kept_path}", raw, held_until=call.at + order.held_for)
        foreign, loose = sum(one["tenant"] != one["asked_by"] for one in kept), sum(not one["vary"] for one in kept)
        told = there.model_dump(mode="json", exclude={"adopted"})
        return order.done(
            "the store shows what was written, with the same hash", f"{foreign} of {len(kept)} were given to another tenant; {there.summary}",
            adopted=there.adopted, after={"samples": len(kept), "foreign": foreign, "without_vary": loose, **told},
        )  # fmt: skip


BYPASSED = Bypasses.measure("CDN bypassed")


def bypass(kept_path: str, why: str = "") -> Change[BypassOf, Bypass]:
    return Bypasses.order(BypassOf(kept_path=kept_path), Bypass(on=True), why=why)


def next_generation(kept_path: str, now: Reading[Generation], why: str = "") -> Change[GenerationOf, Generation]:
    """One on from what was read."""
    return Generations.order(GenerationOf(kept_path=kept_path), Generation(number=now.value.number + 1), why=why).given(now)
