"""Who answers our customers: the model gateway and its ModelSelector (playbook 2.2).

Every write: compare with what is wanted, write under the version that was read, read back from the control plane, and then from the data
plane: who served, as the answers themselves say. Only then is it an `Effect`. `shift` is not on the kit, because it holds a lease that lapses
to safe weights by itself, and covers tenants of a route that others share; `watch` is not, because its only write is to renew that lease.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from activities.action import Call, Effect, Lapsed, Limits, Measure, NotYet, Patience, Refused, Risk, Role, System, action
from activities.kit.clock import Clock
from activities.kit.holding import Thing, claimed
from activities.kit.http import Conflict
from activities.kit.rest import Json
from activities.kit.setting.write import ROUNDS, SOON
from activities.metrics.counting import chance
from activities.metrics.prometheus import Prometheus
from activities.models.canary_watch import CanaryWatch
from activities.models.candidates import Candidates, Probe, Probed, Split, Survey, TenantSplit, candidate
from activities.models.logs import Calls, Log, Served, ServedBy, TenantServed, call_line
from activities.models.model_gateway import ModelGateway, permitting
from activities.models.routes import EVERYBODY, RouteOf, RouteState, Shift, Watch, Watched, spread

ROUTING = (Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD)
SAMPLE = 24  # probes of the data plane that prove a shift
INTENDED = 0.99  # the share of answers that must be as intended (spec §9.2, Verify)
ABSURD = 0.001  # a partial weight is contradicted when what was served would be rarer than this


def _risk_of_shift(order: Shift, _limits: Limits) -> Risk:
    """Falling back within a plan is narrow; any other shift is broad. A failover runs unasked only under a signed standing policy."""
    return Risk.C1 if order.purpose == "fall back" else Risk.C2


class Models(System):
    """The model gateway, proven by its data plane."""

    def __init__(self, gateway: ModelGateway, prometheus: Prometheus, clock: Clock) -> None:
        self._gateway, self._prometheus, self._clock = gateway, prometheus, clock

    # ---- looking ----

    @action("models.calls")
    async def calls(self, order: Log, call: Call) -> Calls:
        """What calls to providers met, by class (A.2 T1)."""
        said = await self._gateway.look(call, order)
        lines = tuple(call_line(row) for row in said["calls"])
        return Calls(lines=lines, inflight_runs=said["inflight_runs"], breaker=said["breaker"], retry_share=said["retry_share"], at=call.at)

    @action("models.probe")
    async def probe(self, order: Probe, call: Call) -> Probed:
        """Real completions pinned to one provider, for tenants that permit it (A.2 T2). Raises `Refused` for a provider nobody knows."""
        providers, tenants = await self._gateway.known(call)
        return await self._probed(call, order, _named(providers, order.provider), tenants)

    @action("models.survey")
    async def survey(self, order: Survey, call: Call) -> Candidates:
        """Every other provider, live: health, room, permission, shared dependencies (A.2 T3)."""
        (providers, tenants), route = await asyncio.gather(self._gateway.known(call), self._gateway.route(call, order.route))
        primary = _named(providers, order.primary)
        others = [row for row in providers.values() if row is not primary]
        probes = (Probe(provider=row["name"], route=order.route, times=order.times) for row in others)
        probed = await asyncio.gather(*(self._probed(call, probe, row, tenants) for probe, row in zip(probes, others, strict=True)))
        load = {tenant["name"]: tenant["rps"] * route.weights_for(tenant["name"]).get(order.primary, 0.0) for tenant in tenants}
        movable = [sum(load[tenant] for tenant in permitting(row, tenants)) for row in others]
        found = (candidate(row, primary, order.needs, rps, seen) for row, rps, seen in zip(others, movable, probed, strict=True))
        return Candidates(found=tuple(found), at=call.at)

    @action("models.split")
    async def split(self, order: Split, call: Call) -> TenantSplit:
        """Which tenants permit the other provider, and which do not (A.2 T4, INV-13)."""
        providers, tenants = await self._gateway.known(call)
        movable = permitting(_named(providers, order.to), tenants) if order.to else ()
        stuck = {tenant["name"]: tenant for tenant in tenants if tenant["name"] not in movable}
        return TenantSplit(
            movable=movable,
            stuck=tuple(stuck),
            reasons={name: f"permits only {', '.join(tenant['allowed']) or 'nobody'}" for name, tenant in stuck.items()},
            tiers={tenant["name"]: tenant["tier"] for tenant in tenants},
            rps={tenant["name"]: tenant["rps"] for tenant in tenants},
            at=call.at,
        )

    @action("models.route")
    async def route(self, order: RouteOf, call: Call) -> RouteState:
        """The route as the ModelSelector has it."""
        return await self._gateway.route(call, order.route)

    @action("models.served")
    async def served(self, order: Served, call: Call) -> ServedBy:
        """Who was really served by whom, how well, at what cost."""
        said = await self._gateway.look(call, order)
        tenants = {
            tenant: TenantServed(n=row["n"], ok=row["ok"], by=row["by"], sampled=row["quality"]["n"], passed=row["quality"]["pass"])
            for tenant, row in said["tenants"].items()
        }
        return ServedBy(tenants=tenants, cost_per_hour=said["cost_usd_per_hour"], at=call.at)

    # ---- routing ----

    @action("models.shift", risk=_risk_of_shift, asks=ROUTING)
    async def shift(self, order: Shift, call: Call) -> Effect:
        """Send tenants by these weights, and see it in who serves them (A.2 M3, R2).

        Raises `Refused` when the router is at a newer change or a tenant does not permit a provider, `Lapsed` when our own lease
        lapsed meanwhile; `NotYet` when it was accepted but does not show; `Contended` when another incident needs it otherwise.
        """
        if not order.tenants:
            raise Refused("a shift must name its tenants")
        async with claimed(self.holders, Thing("models.shift", order.target()), call, order) as still_needed:
            return order.left_to(still_needed) if still_needed else await self._bring_about(order, call)

    async def _bring_about(self, order: Shift, call: Call) -> Effect:
        before: RouteState | None = None
        conflicted = False
        for _ in range(ROUNDS):
            now = await self._gateway.route(call, order.route)
            before = order.prior or before or now
            if _as_ordered(order, now):
                return await self._shifted(order, call, before, adopted=not conflicted)
            body = {"epoch": _epoch_to_write(order, now, conflicted), **order.body()}
            try:
                await self._gateway.put_route(call, order.route, "weights", now.etag, body)
            except Conflict:
                conflicted = True
                if not order.epoch:
                    break  # nothing but this version fenced the write: the next try decides anew
                continue
            return await self._shifted(order, call, before, adopted=False)
        raise NotYet(f"route {order.route} changed while we wrote; we look again", after=SOON)

    # ---- the canary ----

    @action("models.watch", risk=Risk.C1, asks=ROUTING, patience=Patience.WATCH)
    async def watch(self, order: Watch, call: Call) -> Watched:
        """Watch one step of the canary back until it is decided (S-CANARY). Minutes long; heartbeats; resumes where it was."""
        return await CanaryWatch(self._gateway, self._prometheus, self._clock, order, call).until_decided()

    # ---- how it is done ----

    async def _probed(self, call: Call, order: Probe, row: Json, tenants: Sequence[Json]) -> Probed:
        said = await self._gateway.probe(call, order.route, order.provider, permitting(row, tenants), order.times, order.vantage)
        waited = sorted(one.milliseconds for one in said)
        return Probed(
            provider=order.provider,
            n=len(said),
            by_class=Counter(one.error_class for one in said),
            latency_p95_ms=waited[math.ceil(0.95 * len(waited)) - 1] if waited else None,
            baseline_ms=row["baseline_latency_ms"],
            at=call.at,
        )

    async def _shifted(self, order: Shift, call: Call, before: RouteState, *, adopted: bool) -> Effect:
        """The effect, once control plane and data plane both show it."""
        after = await self._gateway.route(call, order.route)
        if not _as_ordered(order, after):
            raise NotYet(f"accepted, but route {order.route} still shows epoch {after.epoch} with other weights", after=SOON)
        seen = await self._prove_weights(order, call, after)
        return Effect(
            target=order.target(),
            summary=order.effect(),
            proven_by=f"route read back at epoch {after.epoch}; {seen}",
            adopted=adopted,
            before=_routing(before, order.tenants),
            after=_routing(after, order.tenants),
        )

    async def _prove_weights(self, order: Shift, call: Call, route: RouteState) -> str:
        """Probe the data plane as these tenants, and compare who served with who should have. Raises `NotYet` when they differ."""
        named = order.tenants
        if named == EVERYBODY:
            named = tuple(tenant["name"] for tenant in (await self._gateway.known(call))[1])
        answered = [tenant for tenant in named if route.mode(tenant) == "normal"]
        if not answered:
            return "no answer can show it: all of them are on retrieval only"
        served = await self._who_serves(call, order.route, spread(answered, SAMPLE))
        n = sum(served.values())
        if n < SAMPLE:
            raise NotYet(f"accepted, but only {n} of {SAMPLE} probes said who served them", after=SOON)
        wrong = contradiction(order.weights, served)
        if wrong:
            raise NotYet(f"accepted, but the data plane still shows otherwise: {wrong}", after=SOON)
        return f"{n} probes were served by " + ", ".join(f"{provider} ({times})" for provider, times in served.most_common())

    async def _who_serves(self, call: Call, route: str, tenants: Sequence[str]) -> Counter[str]:
        """Who serves these tenants, one probe each; whoever got no answer is asked once more."""
        served: Counter[str] = Counter()
        left = list(tenants)
        for _ in range(2):
            said = await asyncio.gather(*(self._gateway.complete(call, route, tenant) for tenant in left))
            served.update(one.served_by for one in said if one.served_by)
            left = [tenant for tenant, one in zip(left, said, strict=True) if not one.served_by]
        return served


FAILED_OVER = Measure("failed over", look=Models.route, impose=Models.shift, lift=Models.shift, sticky=True)


def contradiction(weights: dict[str, float], served: Counter[str]) -> str:
    """What speaks against these weights being in force, given who served; empty when nothing does.

    A weight of 0.99 and more must serve 99 %, none must serve nobody, and a share in between must be possible: its exact binomial
    probability (two-sided) is at least 0.001.
    """
    n = sum(served.values())
    for provider in {*weights, *served}:
        share, times = weights.get(provider, 0.0), served[provider]
        short = share >= INTENDED and times < INTENDED * n
        stray = share <= 0 and times > 0
        absurd = 0 < share < INTENDED and chance(times, n, share) < ABSURD
        if short or stray or absurd:
            return f"{times} of {n} probes were served by {provider}, whose share is {share:.4g}"
    return ""


def _as_ordered(order: Shift, now: RouteState) -> bool:
    leased = now.leased_until is not None
    lease_fits = leased == bool(order.lease_seconds) and (not leased or now.safe_weights == order.safe_weights)
    return lease_fits and now.sends(order.tenants, order.weights)


def _epoch_to_write(order: Shift, now: RouteState, conflicted: bool) -> int:
    """The epoch to write under. An order whose epoch is spent never wins against what came after it (design §4: late zombies)."""
    if order.epoch == 0:
        return now.epoch + 1
    lapsed = now.epoch == order.epoch and order.lease_seconds and now.leased_until is None
    if lapsed and now.sends(order.tenants, order.safe_weights):
        raise Lapsed(f"the lease of epoch {order.epoch} lapsed and the router is back on the safe weights; take this step again")
    if now.epoch == order.epoch and order.prior and now.routes_like(order.prior) and now.modes != order.prior.modes:
        return now.epoch + 1  # the one write since then was of modes, by a measure that runs beside this one
    if now.epoch > order.epoch or (conflicted and now.epoch == order.epoch):
        raise Refused(f"a newer route change (epoch {now.epoch}) exists; ours was to be epoch {order.epoch}. Read the route again")
    return order.epoch


def _named(providers: dict[str, Json], name: str) -> Json:
    if name not in providers:
        raise Refused(f"the gateway knows no provider {name}")
    return providers[name]


def _routing(route: RouteState, tenants: tuple[str, ...]) -> dict[str, JsonValue]:
    overrides: dict[str, JsonValue] = {t: {**own} for t, own in route.overrides.items() if tenants == EVERYBODY or t in tenants}
    return {"epoch": route.epoch, "weights": {**route.weights}, "overrides": overrides}
