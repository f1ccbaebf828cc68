"""The spending of one service: looked at, and contained cause by cause, the narrowest first. The decisions stay in the playbook."""

from collections.abc import Sequence

from activities.action import Role
from activities.agents.cancelling import Cancellations, CancelRun
from activities.agents.exporting import ExportSession, SessionExports
from activities.agents.holding import (
    CHECKPOINTED,
    PAUSED_SCHEDULES,
    Paused,
    PauseOf,
    Pauses,
    Schedules,
    SchedulesOf,
    Scheduling,
)  # fmt: skip
from activities.agents.seen import Agents, AgentsOf, Run, RunsOf
from activities.agents.sessions import RevokeTokens, SessionTokens
from activities.budgets.limit import Limit, Scope
from activities.budgets.limits import CLAMPED, Clamps, clamp
from activities.budgets.quotas import LOWERED, Keys, KeysLook, lower
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.platform.change_feed import ChangeFeed, ChangesSince
from activities.usage.attribution import Spending, Usage
from activities.usage.spend_reading import KeyUse, SpendReading
from activities.values import Curve
from workflows.engine.changes import ChangeResult
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.playbooks.cost_runaway.causes import Cause, Found, Seen, diagnose
from workflows.status import Standing, Suspect

SCOPES: tuple[Scope, ...] = ("run", "agent", "tenant")  # the narrowest first


class ServiceSpending:
    """What is spent by the agents of the incident's service, and what was done about it."""

    def __init__(self, verbs: Verbs, named: Sequence[str]) -> None:
        self._verbs, self._numbers, self._named = verbs, verbs.policy.cost_runaway, named
        self._suspects: dict[str, Suspect] = {}
        self._tried: dict[str, int] = {}  # by whose spending it is: how wide it was clamped last
        self._accepted: set[str] = set()  # launches that people vouch for
        self._rounds = 0

    # -- looking ------------------------------------------------------------------------------------------------------------------

    async def survey(self) -> Seen:
        """Whose the spending is, by our meters and the providers'; what the agents do; what was changed: side by side (T1)."""
        verbs, numbers = self._verbs, self._numbers
        reading, agents, runs, keys, changes, _ = await verbs.together(
            verbs.do(Usage.spending, Spending(service=verbs.service, window=numbers.window)),
            verbs.do(Agents.list, AgentsOf()),
            verbs.do(Agents.runs, RunsOf()),
            verbs.do(Keys.list, KeysLook()),
            verbs.look(ChangeFeed.since, ChangesSince(look_back=numbers.changes_back)),
            self.curve(),
        )
        seen = Seen(reading, agents, runs, keys, changes)
        causes = diagnose(seen, numbers, verbs.policy.loops, self._named)
        for found in causes:
            self._stands(found, Standing.SUSPECTED)
        self._say(reading)
        return Seen(reading, agents, runs, keys, changes, causes)

    async def latest(self, seen: Seen) -> Seen:
        """What triage has found, for the first round of mitigation; for a later one everything is looked at, and may be done, again."""
        self._rounds += 1
        if self._rounds == 1:
            return seen
        self._tried.clear()
        return await self.survey()

    async def curve(self) -> CurveReading:
        policy = self._verbs.policy
        order = CurveOf(curve=Curve.SPEND, service=self._verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)
        return await self._verbs.do(Curves.read, order)

    def _say(self, reading: SpendReading) -> None:
        usd, day, share = reading.usd_per_hour, reading.projected_24h, reading.attributed
        if usd is not None and day is not None:
            whole = f"{usd:.2f} USD per hour (usual are {reading.usual or 0:.2f}), {day:,.0f} USD in the next 24 hours at this rate"
            self._verbs.note(f"{whole}; {'nobody can say whose' if share is None else f'{share:.0%} attributed'}")
        if share is not None and share < self._numbers.attributed:
            self._verbs.task(f"Only {share:.0%} of the spending is somebody's: find out whose the rest is", Role.OPS_LEAD)
        if reading.broken:
            self._verbs.note(f"meters that say what cannot be, and are not believed: {', '.join(reading.broken)}")

    # -- containing ---------------------------------------------------------------------------------------------------------------

    async def contain(self, seen: Seen) -> None:
        """Act on one cause after the other, until the curve has come back. What did not help is said, and the next one is acted on."""
        verbs = self._verbs
        while (found := self._next(seen)) is not None:
            await self._act(found)
            if verbs.rehearsing:
                self._tried[found.name] = len(SCOPES)
                continue
            await verbs.rest(self._numbers.helped_within, f"whether the spending comes down: {found.name}")
            curve = await self.curve()
            if curve.well:
                return
            self._did_not_end_it(found, curve)
            seen = await self.survey()
        await self._everything(seen)

    def _next(self, seen: Seen) -> Found | None:
        """The likeliest cause about which more can still be done."""
        return next((one for one in seen.causes if one.name not in self._accepted and self._tried.get(one.name, 0) < self._ways(one)), None)

    def _ways(self, found: Found) -> int:
        return len(self._scopes(found)) if found.offender is not None else 1

    def _scopes(self, found: Found) -> tuple[Scope, ...]:
        """How narrow it can be clamped: one run tree, where it is one that runs away; LiteLLM limits no run and no agent."""
        if self._store() == "litellm" or found.agent is None:
            return ("tenant",)
        return SCOPES if len(found.roots) == 1 else SCOPES[1:]

    def _store(self) -> str:
        return "litellm" if self._verbs.policy.systems.get("budgets") == "litellm" else "policy router"

    async def _act(self, found: Found) -> None:
        self._stands(found, Standing.ACTED_ON)
        if found.cause is Cause.LAUNCH and await self._vouched_for(found):
            return
        if found.key is not None:
            await self._stolen(found, found.key)
        elif found.offender is None:
            await self._dearer(found)
        else:
            await self._clamp(found)
            await self._verbs.together(self._pause_schedules(found), self._end_runs(found))
        self._tried[found.name] = self._tried.get(found.name, 0) + 1

    def _did_not_end_it(self, found: Found, curve: CurveReading) -> None:
        why = f"acted on, and {curve.in_words}"
        self._verbs.note(f"{found.name} is not the whole of it: {curve.in_words}")
        self._stands(found, Standing.RULED_OUT if self._tried.get(found.name, 0) >= self._ways(found) else Standing.UNPROVEN, why)

    async def _vouched_for(self, found: Found) -> bool:
        """A launch is asked about before anything is clamped; nobody's answer is no yes."""
        assert found.offender is not None  # noqa: S101 - a launch is somebody's
        decision = await self._verbs.confirm(
            QuestionDraft(
                asks=f"Is it a launch that {found.offender.tenant} wants, as it looks? Then nothing of it is clamped",
                roles=(Role.OPS_LEAD, Role.FINANCE), facts=found.evidence, silence=Silence.SKIP,
                effect="the spending counts as wanted", inverse="decline: it is clamped to what is usual of it, with a little to spare",
            )
        )  # fmt: skip
        if decision.granted:
            self._accepted.add(found.name)
            who = found.offender.tenant
            self._verbs.task(f"Raise the caps of {who} for its launch, or agree on others: automation never raises one", Role.FINANCE)
            self._stands(found, Standing.RULED_OUT, f"a launch, says {decision.by}")
        return decision.granted

    async def _clamp(self, found: Found) -> None:
        """The narrowest first: what is allowed before is read, and given back later (M1)."""
        verbs, numbers, offender = self._verbs, self._numbers, found.offender
        assert offender is not None  # noqa: S101 - narrows the type
        scope = self._scopes(found)[min(self._tried.get(found.name, 0), self._ways(found) - 1)]
        name = {"run": found.roots[0].trace if found.roots else "", "agent": found.agent.id if found.agent else ""}.get(
            scope, offender.tenant
        )
        usual = offender.usual or 0.0
        if scope == "tenant":
            reading = await verbs.read(Usage.spending, Spending(service=verbs.service, window=numbers.window))
            usual = sum(one.usual or 0.0 for one in reading.offenders if one.tenant == offender.tenant)
        order = clamp(scope, {name: Limit()}, store=self._store())
        now = await verbs.look(Clamps.read, order.look())
        if now is None:
            await self._router_is_down(found)
            return
        usd = max(numbers.clamp_at_least_usd_per_h, round(numbers.clamp_multiple * usual, 2))
        before = now.value.each[name]
        limit = before.model_copy(update={"spend_usd_per_hour": min(usd, before.spend_usd_per_hour or usd)})
        order = clamp(scope, {name: limit}, store=self._store(), usual={name: round(usual, 2)} if usual else {}, why=found.name)
        if await verbs.impose(CLAMPED, order, facts=found.evidence):
            what = f"what is clamped ({order.of}: {limit}), why ({found.cause}), until the cause is repaired, and how to appeal"
            dispute = "If they dispute it, the commander and Finance agree on another cap for the time being, never on none"
            verbs.task(f"Tell {offender.tenant}: {what}. {dispute}", Role.COMMS_LEAD)

    async def _router_is_down(self, found: Found) -> None:
        """The provider's own wall, or the gateway (if it fails)."""
        verbs, offender = self._verbs, found.offender
        assert offender is not None  # noqa: S101 - narrows the type
        verbs.note(f"the limits cannot be reached: {found.name} is held back at the provider instead, or at the gateway")
        reading = await verbs.read(Usage.spending, Spending(service=verbs.service, window=self._numbers.window))
        usual = offender.tokens_per_minute / offender.multiple if offender.multiple else 0.0
        less = max(0.0, offender.tokens_per_minute - self._numbers.clamp_multiple * usual)
        lowered = [await self._lower(use, found.evidence, less) for use in reading.keys if use.key in offender.keys]
        if not any(lowered):
            verbs.task(f"Deny the model calls of {offender.agent} of {offender.tenant} at the gateway: no limit can be set", Role.OPS_LEAD)

    async def _pause_schedules(self, found: Found) -> None:
        """No new runs of the offender; that of all agents is a switch that people ask for (M2)."""
        if found.agent is not None and found.agent.autonomous:
            order = Schedules.order(SchedulesOf(kind="agents", name=found.agent.id), Scheduling(running=False), why=found.name)
            await self._verbs.impose(PAUSED_SCHEDULES, order, facts=found.evidence)

    async def _end_runs(self, found: Found) -> None:
        """By trace, with their children; what they have brought about outside is recorded before (M3)."""
        many = len(found.roots) > self._numbers.cancelled_unasked
        for run in found.roots:
            await self._record(run)
            if not await self._ended(run, found, many=many):
                await self._verbs.do(SessionTokens.revoke, RevokeTokens(session=run.session))

    async def _ended(self, run: Run, found: Found, *, many: bool) -> bool:
        """False: it was ended, and calls on."""
        verbs, numbers = self._verbs, self._numbers
        order = CancelRun(trace=run.trace, reason=found.name, grace=numbers.cancel_grace, quiet=numbers.cancel_quiet, many=many)
        if verbs.needs_approval(Cancellations.run, order):
            result: ChangeResult = await verbs.propose(Cancellations.run, order, facts=found.evidence, silence=Silence.SAFE)
            if result.unanswered:
                await verbs.impose(CHECKPOINTED, Pauses.order(PauseOf(trace=run.trace), Paused(paused=True), why=found.name))
            return True
        if await verbs.look(Cancellations.run, order) is not None:
            return True
        verbs.note(f"run {run.trace} does not end: the tokens of its session are revoked instead")
        return False

    async def _record(self, run: Run) -> None:
        lasting = [one for one in run.side_effects if not one.reversible]
        effects = "; ".join(f"{one.tool} {one.what} at {one.at:%H:%M:%S} UTC" for one in run.side_effects[:5]) or "none"
        self._verbs.note(
            f"run {run.trace}: {len(run.side_effects)} side effects, {len(lasting)} of them not reversible: {effects}", "side effects"
        )
        await self._verbs.look(SessionExports.export, ExportSession(incident_id=self._verbs.incident_id, session=run.session))

    async def _stolen(self, found: Found, use: KeyUse) -> None:
        """Not our traffic: no limit of ours holds it. The provider's quota does, and the key is revoked (M4, X1)."""
        verbs, why = self._verbs, f"{found.name}; {found.evidence[0]}"

        async def revoked() -> None:
            await verbs.call_in("secret_compromise", why)

        await verbs.together(self._lower(use, found.evidence), revoked())

    async def _lower(self, use: KeyUse, facts: tuple[str, ...], less: float = 0.0) -> bool:
        """The quota of a key at its provider, to what our own agents use of it and a little more. `less`: tokens of a runaway, not counted."""
        tokens = max(1, round(self._numbers.quota_headroom * ((use.own or 0.0) - less)))
        if not use.own:
            self._verbs.task(f"Set the quota of {use.key} at its provider: nobody knows what our agents need of it", Role.OPS_LEAD)
            return False
        return bool(await self._verbs.impose(LOWERED, lower(use.key, tokens), facts=facts))

    async def _dearer(self, found: Found) -> None:
        """Nobody runs away: nobody is clamped (M5)."""
        self._verbs.task("Ask the provider about its prices, and Finance about the budget", Role.FINANCE)
        self._verbs.task("Let heavy tasks run as batch, off-peak or on a cheaper model, where evals show parity", Role.AI_ML_LEAD)

    async def _everything(self, seen: Seen) -> None:
        """Everybody's limit, when nothing else is left and the loss would be beyond what was set beforehand (M6)."""
        numbers, reading, day = self._numbers, seen.reading, seen.reading.projected_24h
        if day is None or day <= numbers.global_above_usd or reading.usual is None:
            return
        limit = Limit(spend_usd_per_hour=round(numbers.global_multiple * reading.usual, 2))
        order = clamp("all", {"all": limit}, store=self._store(), usual={"all": reading.usual}, why=f"{day:,.0f} USD in 24 hours")
        loss = f"{day:,.0f} USD in the next 24 hours; everything is clamped from {numbers.global_above_usd:,.0f} on"
        await self._verbs.impose(CLAMPED, order, facts=(loss,))

    def _stands(self, found: Found, standing: Standing, why: str = "") -> None:
        known = self._suspects.get(found.name)
        if standing is Standing.SUSPECTED and known is not None and known.standing is not Standing.SUSPECTED:
            return
        score = 0.4 if found.cause is Cause.UNKNOWN else 0.8
        self._suspects[found.name] = Suspect(what=found.name, score=score, evidence=found.evidence, standing=standing, why=why)
        self._verbs.suspect(tuple(self._suspects.values()))
