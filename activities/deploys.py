"""Which revision of a service serves: seen, shifted, and proven where customers meet it (S-ROLLBACK, A.1 M3 and R3).

One system over several platforms. Shares are 0 to 1; the revision `LATEST` follows the newest one that is ready. A shift names an explicit
split for every region, so that doing it twice is doing it once.
"""

import asyncio
import math
import re
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from temporalio import activity

from activities.action import Call, Effect, Limits, NotYet, Order, Refused, Risk, Role, System, Value, action
from activities.clients.edge_probe import EdgeProbe
from activities.clients.http import Conflict
from activities.clients.prometheus import Prometheus
from activities.organisation import Deployed

LATEST = "LATEST"
Split = dict[str, float]  # revision or LATEST → share
Purpose = Literal["roll back", "restore", "return to latest", "canary"]

DEPLOYING = (Role.INCIDENT_COMMANDER, Role.DEPUTY)
ROUNDS = 3  # read, decide, write: as often before somebody else is plainly at work on the same thing
AT_ONCE = 8  # probes of the data plane under way together, in one region
BLIND_FROM = 3  # from this try on, a metrics store that does not answer leaves the green minutes unknown
SOON = timedelta(seconds=1)

T = TypeVar("T")


class RevisionsOf(Order):
    """Look at a service: its revisions, and what serves in every region."""

    service: Deployed

    def target(self) -> str:
        """The service."""
        return f"service/{self.service.name}"

    def effect(self) -> str:
        """Nothing changes."""
        return f"list the revisions of {self.service.name} and what serves in {_and(self.service.regions)}"

    def by_hand(self) -> tuple[str, ...]:
        """The same, with the vendor's tool."""
        s = self.service
        if s.platform == "kubernetes":
            return tuple(f"kubectl --context {r} -n {s.namespace} rollout history deployment/{s.name}" for r in s.regions)
        return tuple(f"gcloud run revisions list --service {s.name} --region {r}{_project(s)}" for r in s.regions)


class Revision(Value):
    """One build of a service, as its platform knows it. What nobody knows is `None`."""

    id: str
    digest: str  # of its image, sha256:…; empty when unknown, or when regions differ
    created_at: datetime
    ready: bool  # in every region of the service
    green_minutes: float | None = None  # how long it has served with errors inside the SLO
    secrets: dict[str, int] = {}  # secret → pinned version
    schema_min: int | None = None
    schema_max: int | None = None
    image_present: bool | None = None


class Serving(Value):
    """What serves in one region."""

    split: Split  # in force
    latest: str  # the newest revision that is ready: what LATEST means here
    version: str  # etag or resourceVersion: a write is conditional on it
    settling: Split = {}  # the split that was accepted and is being brought about; empty when it is in force
    failed: str = ""  # why the platform gave up on bringing it about

    def resolved(self) -> Split:
        """The split in force by revision, with LATEST named."""
        found: Split = {}
        for name, share in self.split.items():
            revision = self.latest if name == LATEST else name
            found[revision] = found.get(revision, 0.0) + share
        return {name: share for name, share in found.items() if share > 0}


class Rollout(Value):
    """A service as it is rolled out."""

    service: str
    regions: dict[str, Serving]
    revisions: tuple[Revision, ...]  # newest first

    def revision(self, name: str) -> Revision | None:
        """The revision called so."""
        return next((one for one in self.revisions if one.id == name), None)

    def splits(self) -> dict[str, Split]:
        """What is in force in every region: the `before` of a shift."""
        return {region: serving.split for region, serving in self.regions.items()}

    def versions(self) -> dict[str, str]:
        """The versions that were read: the `versions` of a shift."""
        return {region: serving.version for region, serving in self.regions.items()}


class ToRevision(Order):
    """Let a service serve by these splits. It names every region that it is for; on Kubernetes one revision takes all.

    `before` is what was in force when it was decided: a region that shows anything else by now was changed by somebody else.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"versions"})

    service: Deployed
    split: dict[str, Split]  # region → wanted
    purpose: Purpose
    before: dict[str, Split]
    versions: dict[str, str] = {}
    exemption: str = ""  # the permit of the change freeze under which it runs
    schema_crossing: bool = False  # a schema change lies between: hard to reverse

    def target(self) -> str:
        """The service."""
        return f"service/{self.service.name}"

    def effect(self) -> str:
        """Who serves where afterwards."""
        crossing = "; this crosses a change of the database schema" if self.schema_crossing else ""
        return f"{self.purpose}: {self.service.name} serves {_everywhere(self.split)}{crossing}"

    def inverse(self) -> str:
        """The splits before."""
        return f"let {self.service.name} serve {_everywhere(self.before)} again"

    def by_hand(self) -> tuple[str, ...]:
        """The same, with the vendor's tool: one command per region."""
        return tuple(_shift_by_hand(self.service, region, wanted) for region, wanted in self.split.items())

    def undo(self) -> "ToRevision":
        """Restore the splits before."""
        return ToRevision(
            service=self.service,
            split=self.before,
            purpose="restore",
            before=self.split,
            exemption=self.exemption,
            schema_crossing=self.schema_crossing,
        )


class ServedBy(Order):
    """Ask the data plane, from outside and in every region, which build answers."""

    service: Deployed
    revision: str
    samples: int  # per region

    def target(self) -> str:
        """The service."""
        return f"service/{self.service.name}"

    def effect(self) -> str:
        """Nothing changes."""
        return f"ask {self.service.name} {self.samples} times in {_and(self.service.regions)} whether {self.revision} answers"

    def by_hand(self) -> tuple[str, ...]:
        """The same, by curl: how often which revision answered."""
        s = self.service
        return tuple(
            f"for n in $(seq {self.samples}); do "
            f'curl -sS -o /dev/null -D - -H "X-Region: {r}" "$EDGE_URL/{s.name}/" | tr -d "\\r" | grep -i "^x-revision:"; '
            "done | sort | uniq -c"
            for r in s.regions
        )


class Sampled(Value):
    """What the data plane said. A region that gave no answer has answered 0 times, with a share of 0: that is no proof."""

    by_region: dict[str, float]  # region → share of the answers that came from the revision
    answered: dict[str, int]

    def everywhere(self, share: float, least: int) -> bool:
        """Whether in every region at least `least` answers came, and the share of the revision among them is that high."""
        return bool(self.by_region) and all(self.answered[r] >= least and found >= share for r, found in self.by_region.items())


class Platform(Protocol):
    """Where services run. Reads and writes are told by `http.Door`'s outcomes; a stale version is `Conflict`."""

    async def survey(self, call: Call, service: Deployed) -> Rollout:
        """Revisions, newest first and without green minutes, and what serves in every region."""

    async def regions(self, call: Call, service: Deployed) -> dict[str, Serving]:
        """What serves in every region of `service.regions`, from what the platform says is in force, not from what was asked of it."""

    async def shift(self, call: Call, order: ToRevision, region: str) -> None:
        """Ask for `order.split[region]`, if the region is still at `order.versions[region]`; wait a few seconds for it to be in force.

        `call.key` is the region's own. Raises `Conflict` when the version is stale; `Refused` when the platform says no or gives up.
        Returning is no proof: the caller reads back.
        """


class NotKnown(Exception):
    """In some region we do not know what became of the shift; the next try looks there first."""


def _risk_of_shift(order: ToRevision, _limits: Limits) -> Risk:
    return Risk.C3 if order.schema_crossing else Risk.C2


class Deploys(System):
    """The run platforms, proven by the data plane and by the metrics store."""

    def __init__(self, platforms: Mapping[str, Platform], edge: EdgeProbe, prometheus: Prometheus) -> None:
        self._platforms = platforms
        self._edge = edge
        self._prometheus = prometheus

    @action("deploys.survey")
    async def survey(self, order: RevisionsOf, call: Call) -> Rollout:
        """Every revision with how long it has served well, and what serves where (A.1 T2, M3)."""
        rollout, green = await asyncio.gather(
            self._platform(order.service).survey(call, order.service), self._green_minutes(call, order.service.name)
        )
        named = tuple(one.model_copy(update={"green_minutes": green.get(one.id)}) for one in rollout.revisions)
        return rollout.model_copy(update={"revisions": named})

    @action("deploys.shift", risk=_risk_of_shift, asks=DEPLOYING)
    async def shift(self, order: ToRevision, call: Call) -> Effect:
        """Serve by these splits, and read it back in every region (A.1 M3, R3).

        A region that somebody else changed since `before` is `Refused` before anything is written anywhere. Otherwise each region is
        brought about for itself; if one cannot be, the outcome says which ones serve as wanted and which do not, and trying again
        finds the former done.
        """
        platform = self._platform(order.service)
        _refuse_nonsense(order)

        async def look(region: str) -> Serving:
            return await _serving(platform, call, order.service, region)

        found = await _each(order.split, look)
        _refuse_if_theirs(order, {r: now for r, now in found.items() if isinstance(now, Serving)})

        async def bring(region: str) -> tuple[Serving, bool]:
            now = found[region]
            if not isinstance(now, Serving):
                raise now
            return await _bring_about(platform, call, order, region, now)

        done = await _each(order.split, bring)
        _tell_what_is_missing(order, done)
        after = {region: one for region, one in done.items() if isinstance(one, tuple)}
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"{order.service.platform.replace('_', ' ')} shows {_everywhere({r: s.split for r, (s, _) in after.items()})} in force",
            adopted=not any(wrote for _, wrote in after.values()),
            before={region: {**split} for region, split in order.before.items()},
            after={region: {**serving.split} for region, (serving, _) in after.items()},
        )

    @action("deploys.served_by")
    async def served_by(self, order: ServedBy, call: Call) -> Sampled:
        """Which share of the answers carries this build's header, by region: another path than the one that shifted (S-ROLLBACK)."""
        together = asyncio.Semaphore(AT_ONCE)

        async def sample(region: str) -> list[str]:
            async def once() -> str:
                async with together:
                    met = await self._edge.meet(call, order.service.name, region)
                return met.revision if met.region == region else ""

            return [one for one in await asyncio.gather(*(once() for _ in range(order.samples))) if one]

        said = dict(zip(order.service.regions, await asyncio.gather(*map(sample, order.service.regions)), strict=True))
        return Sampled(
            by_region={r: revisions.count(order.revision) / len(revisions) if revisions else 0.0 for r, revisions in said.items()},
            answered={r: len(revisions) for r, revisions in said.items()},
        )

    def _platform(self, service: Deployed) -> Platform:
        if service.platform not in self._platforms:
            raise Refused(f"{service.name} runs on {service.platform}, for which this worker has no adapter")
        return self._platforms[service.platform]

    async def _green_minutes(self, call: Call, service: str) -> dict[str, float]:
        """By revision. A metrics store that keeps silent is asked again; after that they are unknown, and the survey goes on without."""
        query = f'max by (revision) (service_revision_green_minutes{{service="{service}"}})'
        try:
            found = await self._prometheus.query(call, query, call.at)
        except Exception:
            if not activity.in_activity() or activity.info().attempt < BLIND_FROM:
                raise
            return {}
        return {sample.labels.get("revision", ""): sample.value for sample in found if math.isfinite(sample.value)}


# ---- one region ----


async def _serving(platform: Platform, call: Call, service: Deployed, region: str) -> Serving:
    return (await platform.regions(call, service.model_copy(update={"regions": (region,)})))[region]


async def _bring_about(platform: Platform, call: Call, order: ToRevision, region: str, now: Serving) -> tuple[Serving, bool]:
    """Bring one region's split about, and read it back. Returns what serves, and whether we wrote."""
    own = call.model_copy(update={"key": f"{call.key}/{region}"})
    wrote = False
    for _ in range(ROUNDS):
        _refuse_if_theirs(order, {region: now})
        if _asked_for(order, region, now) and not (now.failed and call.again and not wrote):
            break
        try:
            await platform.shift(own, order.model_copy(update={"versions": {region: now.version}}), region)
            wrote = True
        except Conflict:
            now = await _serving(platform, call, order.service, region)
            continue
        break
    else:
        raise NotYet("it changed again each time while we wrote; we look again", after=SOON)
    after = await _serving(platform, call, order.service, region)
    if after.failed:
        raise Refused(f"accepted, but the platform gave it up: {after.failed}")
    if after.settling or not same(after.split, order.split[region]):
        raise NotYet(f"accepted, but {_shares(after.split)} still serves", after=SOON)
    return after, wrote


def _asked_for(order: ToRevision, region: str, now: Serving) -> bool:
    return same(now.settling or now.split, order.split[region])


def _refuse_if_theirs(order: ToRevision, found: Mapping[str, Serving]) -> None:
    theirs = {
        region: now.settling or now.split
        for region, now in found.items()
        if not _asked_for(order, region, now) and not same(now.settling or now.split, order.before[region])
    }
    if not theirs:
        return
    ours = [region for region, now in found.items() if _asked_for(order, region, now)]
    done = f" {_and(ours)} already serves as wanted." if ours else ""
    raise Refused(
        f"somebody else has changed what {order.service.name} serves: {_everywhere(theirs)} now; "
        f"it was {_everywhere({region: order.before[region] for region in theirs})} when this was decided.{done} Look again"
    )


def _refuse_nonsense(order: ToRevision) -> None:
    for region, wanted in order.split.items():
        if region not in order.service.regions:
            raise Refused(f"{order.service.name} does not run in {region}")
        if region not in order.before:
            raise Refused(f"the order does not say what {region} served before")
        if not whole(wanted):
            raise Refused(f"the shares of {region} must be whole percents and sum to 100 %: {wanted}")
    if not order.split:
        raise Refused("a shift must name its regions")


def _tell_what_is_missing(order: ToRevision, done: Mapping[str, tuple[Serving, bool] | Exception]) -> None:
    """Raise what stands against the whole effect, with what was reached all the same: a region's trouble must not hide another's change."""
    missing = {region: broke for region, broke in done.items() if isinstance(broke, Exception)}
    if not missing:
        return
    reached = [f"{region} serves {_shares(one[0].split)}, as wanted" for region, one in done.items() if isinstance(one, tuple)]
    text = "; ".join([*(f"{region}: {broke}" for region, broke in missing.items()), *reached])
    if all(isinstance(broke, Refused) for broke in missing.values()):
        raise Refused(text)
    unknown = next((broke for broke in missing.values() if not isinstance(broke, Refused | NotYet)), None)
    if unknown:
        raise NotKnown(text) from unknown
    pauses = [broke.next_retry_delay for broke in missing.values() if isinstance(broke, NotYet) and broke.next_retry_delay]
    raise NotYet(text, after=max(pauses, default=SOON))


async def _each(regions: Iterable[str], do: Callable[[str], Awaitable[T]]) -> dict[str, T | Exception]:
    """Do it in all regions at once; what broke in one stands in its place."""
    named = list(regions)
    came: list[Any] = await asyncio.gather(*map(do, named), return_exceptions=True)
    for one in came:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one  # a cancellation is nobody's outcome
    return dict(zip(named, came, strict=True))


# ---- shares ----


def percents(split: Split) -> dict[str, int]:
    """The shares as run platforms count them; without those that get nothing."""
    return {name: round(share * 100) for name, share in split.items() if round(share * 100)}


def same(one: Split, other: Split) -> bool:
    """Whether two splits send the same traffic by the same names: pinning a revision is not following the latest."""
    return percents(one) == percents(other)


def whole(split: Split) -> bool:
    """Whether the shares are whole percents that sum to 100."""
    found = percents(split)
    return sum(found.values()) == 100 and all(abs(share * 100 - found.get(name, 0)) < 1e-6 for name, share in split.items())


def _shares(split: Split) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in percents(split).items()) or "nothing"


def _everywhere(splits: Mapping[str, Split]) -> str:
    """Splits by region, with regions that serve the same said together."""
    groups: dict[str, list[str]] = {}
    for region, split in splits.items():
        groups.setdefault(_shares(split), []).append(region)
    return "; ".join(f"{shares} in {_and(regions)}" for shares, regions in groups.items()) or "nothing"


def _and(names: Iterable[str]) -> str:
    *first, last = [*names] or ["no region"]
    return f"{', '.join(first)} and {last}" if first else last


def _shift_by_hand(s: Deployed, region: str, split: Split) -> str:
    if s.platform == "kubernetes":
        revision = max(split, key=lambda name: split[name])
        number = re.search(r"(\d+)$", revision)
        undo = f"kubectl --context {region} -n {s.namespace} rollout undo deployment/{s.name}"
        return f"{undo} --to-revision={int(number[1])}" if number else undo
    wanted = percents(split)
    if wanted == {LATEST: 100}:
        return f"gcloud run services update-traffic {s.name} --region {region} --to-latest{_project(s)}"
    shares = ",".join(f"{name}={percent}" for name, percent in wanted.items())
    return f"gcloud run services update-traffic {s.name} --region {region} --to-revisions {shlex.quote(shares)}{_project(s)}"


def _project(s: Deployed) -> str:
    return f" --project {s.project}" if s.project else ""
