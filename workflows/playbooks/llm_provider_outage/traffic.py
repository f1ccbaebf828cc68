"""The traffic of one route: looking at it, and moving it to the fallback provider in steps. The decisions stay in the playbook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from activities.action import Grant, Role
from activities.metrics.telemetry import Surface, Telemetry
from activities.models.candidates import Candidate, Probe, Split, Survey, TenantSplit
from activities.models.logs import Calls, Log, Served
from activities.models.models import FAILED_OVER, Models
from activities.models.routes import RouteOf, Shift
from activities.retriever.fallback import SERVES_CACHED, CachedAnswerSettings, serve_cached
from workflows.engine.measures import Imposed
from workflows.engine.proof.proof import minutes
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.llm_provider_outage.findings import ANOTHER_PLAYBOOK, Seen


@dataclass(frozen=True)
class RampResult:
    """How far a ramp came: the share it reached, and what stopped it."""

    reached: float = 0.0
    to: str = ""
    unanswered: bool = False
    saturated: bool = False  # it cannot carry so much
    down: bool = False  # it fails whatever it is sent

    def __bool__(self) -> bool:
        return self.reached >= 1.0


class Traffic:
    """One route between its primary and its fallback provider: what is in force, and how soon traffic may return."""

    def __init__(self, verbs: Verbs, route: str, primary: str) -> None:
        self._verbs, self._policy = verbs, verbs.policy.provider_outage
        self.route, self.primary = route, primary
        self.no_return_before, self._rounds = verbs.clock(), 0
        verbs.evidence_about(f"provider/{primary}")

    async def survey(self) -> Seen:
        """How the primary does, who could take over and for whom, and who is hit: side by side."""
        verbs, policy, route, primary = self._verbs, self._policy, self.route, self.primary
        calls, probed, found, radius = await verbs.together(
            verbs.do(Models.calls, Log(route=route, window=policy.log_window)),
            verbs.do(Models.probe, Probe(provider=primary, route=route)),
            verbs.do(Models.survey, Survey(route=route, primary=primary)),
            verbs.do(Telemetry.blast_radius, Surface(service=verbs.service)),
        )
        fallback = found.fallback(headroom=policy.headroom)
        tenants = await verbs.do(Models.split, Split(route=route, primary=primary, to=fallback.id if fallback else ""))
        served, no_room = self.carried(tenants, fallback)
        return Seen(calls, probed, radius, fallback, tenants, served, no_room)

    async def latest(self, seen: Seen) -> Seen:
        """What triage has found, for the first round of mitigation; for a later one everything is looked at again."""
        self._rounds += 1
        return seen if self._rounds == 1 else await self.survey()

    async def serve_cached(self) -> None:
        """Cached answers where the model gives none (A.2 M6). Where no retriever of ours can, a person sees to it."""
        verbs, policy = self._verbs, self._policy
        rules = "same tenant, age within policy, nothing personal"
        order = serve_cached(self.route, policy.cached_age)
        if await verbs.try_to_read(CachedAnswerSettings.read, order.look()) is None:
            verbs.task(f"Serve cached answers (CAG): {rules}; audit {policy.cached_audit}", Role.AI_ML_LEAD)
        elif await verbs.impose(SERVES_CACHED, order, silence=Silence.SKIP):
            verbs.task(f"Audit {policy.cached_audit} of the cached answers (CAG): {rules}", Role.AI_ML_LEAD)

    @property
    def imposed(self) -> Imposed | None:
        return next(iter(self._verbs.in_force(FAILED_OVER)), None)

    def lock(self, duration: timedelta) -> None:
        """No return for so long from now: a provider that comes and goes must not take the traffic with it."""
        if not self._verbs.rehearsing:
            self.no_return_before = max(self.no_return_before, self._verbs.clock() + self._verbs.policy.paced(duration))

    def failing(self, calls: Calls, provider: str) -> bool:
        return calls.failed_share(provider) > self._policy.error_ratio

    def latest_calls(self, window: timedelta | None = None) -> Log:
        """The calls since the last step of a ramp."""
        return Log(route=self.route, window=window or self._policy.ramp_step)

    async def fall_back(self, tenants: Sequence[str], weights: dict[str, float], onto: Imposed | None) -> None:
        back = Shift(route=self.route, tenants=tuple(tenants), weights=weights, purpose="fall back")
        await self._verbs.impose(FAILED_OVER, back, onto=onto)

    async def left_to_another(self, calls: Calls) -> bool:
        """Whether this is another playbook's incident, which was called in. Raises `HandOver` when somebody does not want that."""
        playbook, why = self._another(calls)
        if not playbook:
            return False
        decision = await self._verbs.confirm(
            QuestionDraft(
                asks=f"Not an outage of {self.primary}. Call in {why.rpartition('§')[2].partition(',')[0]}?", facts=(why,),
                roles=(Role.INCIDENT_COMMANDER, Role.OPS_LEAD, Role.AI_ML_LEAD),
                effect=f"the playbook {playbook} works on this incident; nothing is failed over",
                inverse="stand the incident down",
            )
        )  # fmt: skip
        if not decision.granted:
            self._verbs.hand_over(f"{why}; {decision.by} does not want it called in")
        await self._verbs.call_in(playbook, why)
        return True

    def _another(self, calls: Calls) -> tuple[str, str]:
        """Whose incident this is (spec §9.2, error classes), and why; nobody's, when the provider itself is failing."""
        policy = self._policy
        if not self.failing(calls, self.primary):
            return "", ""
        if calls.n(self.primary) < policy.least_calls or calls.classified_share() < policy.classified:
            known = f"{calls.n(self.primary)} calls, {calls.classified_share():.0%} of the errors classified"
            self._verbs.note(f"the errors of {self.primary} say too little about their cause: {known}")
            return "", ""
        return ANOTHER_PLAYBOOK.get(calls.dominant(self.primary), ("", ""))

    def carried(self, tenants: TenantSplit, by: Candidate | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Whom the fallback provider takes: all who permit it, or as many as it has room for, by priority tier (A.2 M3); and who has no room."""
        headroom = self._policy.headroom
        return (tenants.movable, ()) if by is None or by.carries(headroom) >= 1 else tenants.by_priority(by.free_rps / headroom)

    async def fail_over(self, tenants: Sequence[str], to: Candidate | None, facts: tuple[str, ...] = ()) -> RampResult:
        """Ramp these tenants to a candidate, because a step change can overload it. One question for the whole ramp, unless two people signed it."""
        verbs, policy = self._verbs, self._policy
        if to is None or not tenants:
            verbs.note("no provider can take over: nobody healthy, evaluated, permitted and large enough")
            return RampResult(reached=0.0 if tenants else 1.0)
        shifts = [self._shift(tenants, to, share) for share in policy.ramp]
        lasting = timedelta(hours=2)
        grant = await verbs.standing_grant(Models.shift, *shifts, lasting=lasting)
        if grant is None:
            terms = ApprovalTerms(
                asks=f"Fail {len(tenants)} tenants over from {self.primary} to {to.id}?",
                facts=(
                    *facts,
                    f"parity {to.parity:.0%}, price ×{to.price_ratio:g}",
                    f"room for {to.carries(policy.headroom):.0%} of the load with ×{policy.headroom:g} to spare",
                    f"in steps of {', '.join(f'{share:.0%}' for share in policy.ramp)}, {minutes(policy.ramp_step)} each",
                ),
                silence=Silence.SAFE,
                lasting=lasting,
            )
            route = await verbs.read(Models.route, RouteOf(route=self.route))  # the undo that is shown is the state before
            decision = await verbs.approve_all(Models.shift, [shift.given(route) for shift in shifts], terms)
            if decision.grant is None:
                return RampResult(to=to.id, unanswered=decision.unanswered)
            grant = decision.grant
        if not await self._still_healthy(to):
            verbs.note(f"{to.id} was healthy when it was surveyed, and is not any more: no traffic is moved")
            return RampResult(to=to.id)
        return await self._ramp(tenants, to, shifts, grant)

    async def _still_healthy(self, to: Candidate) -> bool:
        """A probe that is too old is not believed (A.2 T3): the question may have waited for long."""
        if self._verbs.rehearsing or self._verbs.clock() - to.probe.at <= self._verbs.policy.paced(self._policy.probe_age):
            return True
        again = await self._verbs.do(Models.survey, Survey(route=self.route, primary=self.primary))
        found = again.of(to.id)
        return found is not None and found.healthy

    async def _ramp(self, tenants: Sequence[str], to: Candidate, shifts: Sequence[Shift], grant: Grant | None) -> RampResult:
        verbs, policy = self._verbs, self._policy
        reached, imposed = 0.0, self.imposed
        verbs.evidence_about(f"provider/{to.id}")  # from here on it serves: that it fails is ours too
        for share, shift in zip(policy.ramp, shifts, strict=True):
            result = await verbs.impose(FAILED_OVER, shift, under=grant, onto=imposed)
            if not result:
                return RampResult(reached, to.id)
            imposed = result.imposed
            self.lock(policy.flap_lock)
            await verbs.rest(policy.ramp_step, f"watch {to.id} at {share:.0%} of the traffic")
            await verbs.do(Models.served, Served(route=self.route, window=policy.ramp_step))
            calls = await self._enough_calls(to.id, share)
            if calls is None:
                return RampResult(reached, to.id)
            if self.failing(calls, to.id):
                before = {to.id: reached, self.primary: 1 - reached} if reached else {self.primary: 1.0}
                await self.fall_back(tenants, before, imposed)
                down = await self._down(to)
                return RampResult(0.0 if down else reached, to.id, saturated=not down, down=down)
            reached = share
        return RampResult(reached, to.id)

    async def _enough_calls(self, provider: str, share: float) -> Calls | None:
        """The calls since the step, once there are enough to judge it by. None: too few came, and nobody wants to go on without."""
        verbs, policy, waited = self._verbs, self._policy, self._policy.ramp_step
        while True:
            calls = await verbs.do(Models.calls, self.latest_calls(waited))
            if verbs.rehearsing or verbs.assumes(Models.shift) or calls.n(provider) >= policy.ramp_least_calls:
                return calls
            if waited >= policy.ramp_patience:
                decision = await verbs.confirm(
                    QuestionDraft(
                        asks=f"Only {calls.n(provider)} calls reached {provider} at {share:.0%}: go on with the failover?",
                        roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="the next step of the ramp, judged by too few calls",
                        inverse="decline: it stays where the last step that counted has left it",
                    )
                )  # fmt: skip
                return calls if decision.granted else None
            await verbs.rest(policy.ramp_step, f"enough calls to {provider} to judge it by")
            waited += policy.ramp_step

    async def _down(self, to: Candidate) -> bool:
        """Whether it fails without the last step's load too: one that was only full recovers. Says what both providers stand on."""
        verbs, order = self._verbs, Probe(provider=to.id, route=self.route)
        if (await verbs.do(Models.probe, order)).ok:
            return False
        await verbs.rest(self._policy.ramp_step, f"whether {to.id} recovers from the load that was taken off it")
        if (await verbs.do(Models.probe, order)).ok:
            return False
        shared = ", ".join(to.shared_with_primary)
        why = f"it shares {shared} with {self.primary}" if shared else f"nothing is known that it shares with {self.primary}"
        verbs.note(f"{to.id} is down too, and not only full: probes fail still after the load of the last step was taken off it; {why}")
        return True

    def _shift(self, tenants: Sequence[str], to: Candidate, share: float) -> Shift:
        weights = {to.id: share, self.primary: round(1 - share, 6)} if share < 1 else {to.id: 1.0}
        return Shift(
            route=self.route, tenants=tuple(tenants), weights=weights, purpose="fail over", parity=to.parity,
            price_ratio=to.price_ratio,
        )  # fmt: skip
