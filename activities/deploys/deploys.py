"""Which revision of a service serves: seen, shifted, and proven where customers meet it (S-ROLLBACK, A.1 M3 and R3).

One system over several platforms. Shares are 0 to 1; the revision `LATEST` follows the newest one that is ready. A shift names an explicit
split for every region, so that doing it twice is doing it once.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

from temporalio import activity

from activities.action import Call, Effect, Limits, NotYet, Patience, Refused, Risk, Role, System, action
from activities.deploys.orders import RevisionsOf, Rollout, Sampled, ServedBy, Serving, ToRevision, everywhere, in_words, listed, whole
from activities.deploys.pins import Pinned
from activities.edge.probe import EdgeProbe
from activities.kit.holding import Thing, claimed
from activities.kit.http import Conflict
from activities.kit.words import promql
from activities.metrics.prometheus import Prometheus
from activities.organisation.catalogue import Deployed
from activities.secrets.store import SecretStore, VersionState

DEPLOYING = (Role.INCIDENT_COMMANDER, Role.DEPUTY)
ROUNDS = 3  # read, decide, write: as often before somebody else is plainly at work on the same thing
AT_ONCE = 16  # probes of the data plane under way together, in one region
SAMPLED_FOR = 5.0  # seconds: what was not answered by then is not waited for, so that a slow region cannot use up the try
BLIND_FROM = 3  # from this try on, a metrics store that does not answer leaves the green minutes unknown
SOON = timedelta(seconds=1)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two looks at a platform that is at work

T = TypeVar("T")


class Platform(Protocol):
    """Where services run. Reads and writes are told by `http.HttpClient`'s outcomes; a stale version is `Conflict`."""

    async def survey(self, call: Call, service: Deployed) -> Rollout:
        """Revisions, newest first and without green minutes, and what serves in every region."""

    async def regions(self, call: Call, service: Deployed) -> dict[str, Serving]:
        """What serves in every region of `service.regions`, from what the platform says is in force, not from what was asked of it."""

    async def may_change(self, call: Call, service: Deployed, region: str) -> bool:
        """Whether we may shift its traffic there, by the platform's own word."""

    async def shift(self, call: Call, order: ToRevision, region: str) -> None:
        """Ask for `order.split[region]`, if the region is still at `order.versions[region]`.

        `call.key` is the region's own. Raises `Conflict` when the version is stale; `Refused` when the platform says no or gives up.
        Returning is no proof: the caller reads back.
        """

    async def pinned(self, call: Call, service: Deployed, region: str) -> Pinned:
        """Which versions of secrets it asks for there."""

    async def pin(self, call: Call, service: Deployed, region: str, secret: str, version: int, over: str) -> None:
        """Ask for this version of a secret, and change nothing else, if the region is still at `over`. Raises `Conflict` when it is not."""


class NotKnown(Exception):
    """In some region we do not know what became of the shift; the next try looks there first."""


def _risk_of_shift(order: ToRevision, _limits: Limits) -> Risk:
    return Risk.C3 if order.schema_crossing else Risk.C2


class Deploys(System):
    """The run platforms, proven by the data plane and by the metrics store."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        edge: EdgeProbe,
        prometheus: Prometheus,
        *,
        patience: float = 3.0,
        store: SecretStore | None = None,
    ) -> None:
        """`patience` is for how many seconds of a try we watch a platform bring a shift about. `store`: what is disabled; None: not asked."""
        self._store = store
        self._platforms = platforms
        self._patience = patience
        self._edge = edge
        self._prometheus = prometheus

    async def revisions(self, service: Deployed, call: Call) -> Rollout:
        """The revisions as the platform has them, without green minutes."""
        return await self.platform(service).survey(call, service)

    @action("deploys.survey")
    async def survey(self, order: RevisionsOf, call: Call) -> Rollout:
        """Every revision with how long it has served well, what serves where, and whether we may change that (A.1 T2, M3)."""
        platform, service = self.platform(order.service), order.service
        rollout, green, may = await asyncio.gather(
            platform.survey(call, service), self._green_minutes(call, service.name),
            _each(service.regions, lambda region: platform.may_change(call, service, region)),
        )  # fmt: skip
        disabled, unread = await self._disabled(call, {secret for one in rollout.revisions for secret in one.secrets})
        named = tuple(
            one.model_copy(update={"green_minutes": green.get(one.id), "disabled": tuple(sorted(disabled.intersection(one.secrets)))})
            for one in rollout.revisions
        )
        told = {region: allowed for region, allowed in may.items() if isinstance(allowed, bool)}
        return rollout.model_copy(update={"revisions": named, "may_change": told, "unread_secrets": unread})

    @action("deploys.shift", risk=_risk_of_shift, asks=DEPLOYING, patience=Patience.ROLLOUT)
    async def shift(self, order: ToRevision, call: Call) -> Effect:
        """Serve by these splits, and read it back in every region (A.1 M3, R3).

        A region that somebody else changed since `before` is `Refused` before anything is written anywhere. Otherwise each region is
        brought about for itself; if one cannot be, the outcome says which ones serve as wanted and which do not, and trying again
        finds the former done. `Contended` when another incident needs it otherwise.
        """
        _refuse_nonsense(order)
        async with claimed(self.holders, Thing("deploys.shift", order.target()), call, order) as still_needed:
            return order.left_to(still_needed) if still_needed else await self._bring_about(order, call)

    async def _bring_about(self, order: ToRevision, call: Call) -> Effect:
        platform = self.platform(order.service)
        found = await _each(order.split, lambda region: _serving(platform, call, order.service, region))
        _refuse_if_theirs(order, call.key, {r: now for r, now in found.items() if isinstance(now, Serving)})

        async def bring(region: str) -> tuple[Serving, bool]:
            now = found[region]
            if not isinstance(now, Serving):
                raise now
            return await _bring_about(platform, call, order, region, now, self._patience)

        done = await _each(order.split, bring)
        _tell_what_is_missing(order, done)
        after = {region: one for region, one in done.items() if isinstance(one, tuple)}
        return Effect(
            target=order.target(),
            summary=order.effect() + _altered(call.key, {region: serving for region, (serving, _) in after.items()}),
            proven_by=f"{order.service.platform.replace('_', ' ')} shows {everywhere({r: s.split for r, (s, _) in after.items()})} in force",
            adopted=not any(wrote for _, wrote in after.values()),
            before={region: {**split} for region, split in order.before.items()},
            after={region: {**serving.split} for region, (serving, _) in after.items()},
        )

    @action("deploys.served_by")
    async def served_by(self, order: ServedBy, call: Call) -> Sampled:
        """Which share of the answers carries this build's header, by region: another path than the one that shifted (S-ROLLBACK)."""

        async def sample(region: str) -> list[str]:
            together = asyncio.Semaphore(AT_ONCE)

            async def once() -> str:
                async with together:
                    met = await self._edge.meet(call, order.service.name, region)
                return met.revision if met.region == region else ""

            probes = [asyncio.create_task(once()) for _ in range(order.samples)]
            try:
                done, _ = await asyncio.wait(probes, timeout=SAMPLED_FOR) if probes else (set[asyncio.Task[str]](), None)
            finally:
                for probe in probes:
                    probe.cancel()
            return [revision for probe in done if (revision := probe.result())]

        names = {order.revision, *order.also}
        said = dict(zip(order.service.regions, await asyncio.gather(*map(sample, order.service.regions)), strict=True))
        return Sampled(
            by_region={r: sum(one in names for one in revisions) / len(revisions) if revisions else 0.0 for r, revisions in said.items()},
            answered={r: len(revisions) for r, revisions in said.items()},
        )

    async def _disabled(self, call: Call, pinned: Collection[str]) -> tuple[set[str], tuple[str, ...]]:
        """Which of these versions the store gives to nobody, and of which secrets it does not say: a revoked one must not come back (G24)."""
        found, unread = set[str](), []
        for name in sorted({one.partition(":")[0] for one in pinned if one.partition(":")[2].isdigit()}) if self._store else ():
            try:
                versions = await cast(SecretStore, self._store).versions(call, name)
            except Exception:  # whatever it is: the revisions are told all the same, and this is not known
                unread.append(name)
                continue
            found |= {f"{name}:{one.number}" for one in versions if one.state is not VersionState.ENABLED}
        return found.intersection(pinned), tuple(unread)

    def platform(self, service: Deployed) -> Platform:
        if service.platform not in self._platforms:
            raise Refused(f"{service.name} runs on {service.platform}, for which this worker has no adapter")
        return self._platforms[service.platform]

    async def _green_minutes(self, call: Call, service: str) -> dict[str, float]:
        """By revision. A metrics store that keeps silent is asked again; after that they are unknown, and the survey goes on without."""
        query = f"max by (revision) ({promql.selector('service_revision_green_minutes', service=service)})"
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


async def _settled(platform: Platform, call: Call, service: Deployed, region: str, patience: float) -> Serving:
    """What serves, once the platform is no longer at it, or patience is over."""
    until, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        now = await _serving(platform, call, service, region)
        if not now.settling or now.failed or time.monotonic() + pause > until:
            return now
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _bring_about(
    platform: Platform, call: Call, order: ToRevision, region: str, now: Serving, patience: float
) -> tuple[Serving, bool]:
    """Bring one region's split about, and read it back. Returns what serves, and whether we wrote."""
    own = call.model_copy(update={"key": f"{call.key}/{region}"})
    wrote = False
    for _ in range(ROUNDS):
        _refuse_if_theirs(order, call.key, {region: now})
        if now.heads_for(order.split[region], own.key) and not (now.failed and call.again and not wrote):
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
    after = await _settled(platform, call, order.service, region, patience)
    if after.failed:
        raise Refused(f"accepted, but the platform gave it up: {after.failed}")
    if after.settling or not after.heads_for(order.split[region], own.key):
        raise NotYet(f"accepted, but {in_words(after.split)} still serves", after=SOON)
    return after, wrote


def _altered(key: str, found: Mapping[str, Serving]) -> str:
    ours = {r: (now.asked, now.altered.how) for r, now in found.items() if now.altered and now.altered.key == f"{key}/{r}"}
    altered = [f"in {region} {listed(runs)} runs in its place ({how})" for region, (runs, how) in ours.items()]
    return f"; others altered it on its way: {'; '.join(altered)}" if altered else ""


def _refuse_if_theirs(order: ToRevision, key: str, found: Mapping[str, Serving]) -> None:
    ours = [region for region, now in found.items() if now.heads_for(order.split[region], f"{key}/{region}")]
    known = {**order.before, **order.left_as}
    theirs = {region: now.asked for region, now in found.items() if region not in ours and not now.heads_for(known[region])}
    if not theirs:
        return
    done = f" {listed(ours)} already serves as wanted." if ours else ""
    raise Refused(
        f"somebody else has changed what {order.service.name} serves: {everywhere(theirs)} now; "
        f"it was {everywhere({region: order.before[region] for region in theirs})} when this was decided.{done} Look again"
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
    reached = [f"{region} serves {in_words(one[0].split)}, as wanted" for region, one in done.items() if isinstance(one, tuple)]
    text = "; ".join([*(f"{region}: {_why(broke)}" for region, broke in missing.items()), *reached])
    if all(isinstance(broke, Refused) for broke in missing.values()):
        raise Refused(text)
    unknown = next((broke for broke in missing.values() if not isinstance(broke, Refused | NotYet)), None)
    if unknown:
        raise NotKnown(text) from unknown
    pauses = [broke.next_retry_delay for broke in missing.values() if isinstance(broke, NotYet) and broke.next_retry_delay]
    raise NotYet(text, after=max(pauses, default=SOON))


def _why(broke: Exception) -> str:
    return broke.message if isinstance(broke, Refused | NotYet) else f"{type(broke).__name__} {broke}".strip()


async def _each(regions: Iterable[str], do: Callable[[str], Awaitable[T]]) -> dict[str, T | Exception]:
    """Do it in all regions at once; what broke in one stands in its place."""
    named = list(regions)
    came: list[Any] = await asyncio.gather(*map(do, named), return_exceptions=True)
    for one in came:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one  # a cancellation is nobody's outcome
    return dict(zip(named, came, strict=True))
