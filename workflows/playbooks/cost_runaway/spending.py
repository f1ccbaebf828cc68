"""The spending of one service: looked at, and contained cause by cause, the narrowest first. The decisions stay in the playbook."""

from collections.abc import Sequence
from dataclasses import replace

from activities.action import Role
from activities.agents.seen import Agents, AgentsOf, RunsOf
from activities.budgets.limit import Scope
from activities.budgets.quotas import Keys, KeysLook
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.platform.change_feed import ChangeFeed, ChangesSince
from activities.usage.attribution import Spending, Usage
from activities.usage.spend_reading import SpendReading
from activities.values import Curve
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.playbooks.cost_runaway.causes import Cause, Found, Seen, diagnose
from workflows.playbooks.cost_runaway.remedies import Remedies
from workflows.status import Standing, Suspect

SCOPES: tuple[Scope, ...] = ("run", "agent", "tenant")  # the narrowest first


class ServiceSpending:
    """What is spent by the agents of the incident's service, and what was done about it."""

    def __init__(self, verbs: Verbs, named: Sequence[str]) -> None:
        self._verbs, self._numbers, self._named = verbs, verbs.policy.cost_runaway, named
        self._remedies, self._suspects = Remedies(verbs), dict[str, Suspect]()
        self._tried: dict[str, int] = {}  # by whose spending it is: how wide it was clamped last
        self._clamped: dict[str, list[Imposed]] = {}
        self._accepted: set[str] = set()  # launches that people vouch for
        self._rounds = 0

    # -- looking ------------------------------------------------------------------------------------------------------------------

    async def survey(self) -> Seen:
        """Whose the spending is, by our meters and the providers'; what the agents do; what was changed: side by side (T1)."""
        verbs, numbers = self._verbs, self._numbers
        reading, agents, runs, keys, changes, curve = await verbs.together(
            verbs.do(Usage.spending, Spending(service=verbs.service, window=numbers.window)),
            verbs.do(Agents.list, AgentsOf()),
            verbs.do(Agents.runs, RunsOf()),
            verbs.do(Keys.list, KeysLook()),
            verbs.look(ChangeFeed.since, ChangesSince(look_back=numbers.changes_back)),
            self.curve(),
        )
        seen = Seen(reading, agents, runs, keys, changes, curve)
        causes = diagnose(seen, numbers, verbs.policy.loops, self._named)
        for found in causes:
            self._stands(found, Standing.SUSPECTED)
        self._say(reading)
        return replace(seen, causes=causes)

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
        for psu in reading.psu:
            if psu.share is not None and psu.share >= self._numbers.budget_warning:
                self._verbs.note(f"{psu.tenant} has used {psu.share:.0%} of its PSU budget of today")
        if reading.broken:
            self._verbs.note(f"meters that say what cannot be, and are not believed: {', '.join(reading.broken)}")

    # -- containing ---------------------------------------------------------------------------------------------------------------

    async def contain(self, seen: Seen) -> None:
        """Act on one cause after the other, until the curve has come back. What did not help is said, and the next one is acted on."""
        verbs = self._verbs
        if not seen.causes:
            verbs.note("no agent, no key and no price speaks for a runaway: nothing is changed, and the curve is watched")
        while (found := self._next(seen)) is not None:
            await self._act(found, seen)
            if verbs.rehearsing:
                self._tried[found.name] = len(SCOPES)
                continue
            await verbs.rest(self._numbers.helped_within, f"whether the spending comes down: {found.name}")
            curve = await self.curve()
            if curve.well and seen.ill(found):
                return
            if not curve.well:
                await self._did_not_end_it(found, curve, suspected=not seen.ill(found))
            seen = await self.survey()  # of what the curve does not show it cannot say whether it has ended
        await self._remedies.clamp_everything(seen.reading)

    def _next(self, seen: Seen) -> Found | None:
        """The likeliest cause about which more can still be done."""
        return next((one for one in seen.causes if one.name not in self._accepted and self._tried.get(one.name, 0) < self._ways(one)), None)

    def _ways(self, found: Found) -> int:
        return len(self._scopes(found)) if found.offender is not None else 1

    def _scopes(self, found: Found) -> tuple[Scope, ...]:
        """How narrow it can be clamped: one run tree, where it is one that runs away; LiteLLM limits no run and no agent."""
        if self._remedies.store == "litellm" or found.agent is None:
            return ("tenant",)
        return SCOPES if len(found.roots) == 1 else SCOPES[1:]

    async def _act(self, found: Found, seen: Seen) -> None:
        remedies = self._remedies
        self._stands(found, Standing.ACTED_ON)
        if found.cause is Cause.LAUNCH and await self._vouched_for(found):
            return
        if found.key is not None:
            await remedies.stolen(found, found.key)
        elif found.offender is None:
            await remedies.dearer(found)
        else:
            scope = self._scopes(found)[min(self._tried.get(found.name, 0), self._ways(found) - 1)]
            self._clamped.setdefault(found.name, []).extend(await remedies.clamp(found, scope, seen.reading))
            await self._verbs.together(remedies.pause_schedules(found), remedies.end_runs(found))
        self._tried[found.name] = self._tried.get(found.name, 0) + 1

    async def _did_not_end_it(self, found: Found, curve: CurveReading, *, suspected: bool) -> None:
        """Said, and shown. Who was only suspected gets back at once what was taken (if it fails: the wrong tenant)."""
        verbs, why = self._verbs, f"acted on, and {curve.in_words}"
        verbs.note(f"{found.name} is not the whole of it: {curve.in_words}")
        self._stands(found, Standing.RULED_OUT if self._tried.get(found.name, 0) >= self._ways(found) else Standing.UNPROVEN, why)
        imposed = self._clamped.pop(found.name, []) if suspected else []
        if imposed and found.offender is not None and found.cause is Cause.UNKNOWN:
            self._tried[found.name] = self._ways(found)
            await verbs.take_back(imposed, "it was only suspected, and clamping it has not helped")
            verbs.task(
                f"Apologise to {found.offender.tenant}: its agent {found.offender.agent} was clamped for a while, wrongly", Role.COMMS_LEAD
            )

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

    def _stands(self, found: Found, standing: Standing, why: str = "") -> None:
        known = self._suspects.get(found.name)
        if standing is Standing.SUSPECTED and known is not None and known.standing is not Standing.SUSPECTED:
            return
        score = 0.4 if found.cause is Cause.UNKNOWN else 0.8
        self._suspects[found.name] = Suspect(what=found.name, score=score, evidence=found.evidence, standing=standing, why=why)
        self._verbs.suspect(tuple(self._suspects.values()))
