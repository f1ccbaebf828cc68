"""One route whose answers became worse: what is read of it, what is held back first, and what is kept as evidence (spec §9.7; A.7 M1, M2, T1, T2)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.action import Role
from activities.evals.answers import Answers, KeepFailing, SamplesOf
from activities.evals.evals import Evals, RunSuite, Score, SuitesOf, score_of
from activities.evidence.evidence import Evidence, Snapshot
from activities.guardrails.guardrails import Guardrails, StatusOf
from activities.metrics.counting import beyond_chance
from activities.metrics.curve_parts import JudgedAnswers
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.models.logs import Log
from activities.models.models import Models
from activities.registry.orders import OffersOf, ReleasesOf
from activities.registry.releases import (
    PAUSED,
    PUBLISHING_PAUSED,
    ROLLOUT_STOPPED,
    PublishingOf,
    PublishingPause,
    ReleaseHistory,
    Rollout,
    RolloutOf,
    Rollouts,
)
from activities.values import Curve
from workflows.engine.verbs import Verbs
from workflows.playbooks.model_drift.causes import Candidate, Findings, candidates
from workflows.playbooks.model_drift.slices import Blamed, blamed
from workflows.severity.facts import Facts, Scope

ELSEWHERE = {Curve.GROUNDING: "cache_poisoning", Curve.INJECTION: "prompt_injection"}  # what makes answers bad without any version of ours


class Regression:
    """What is known of it. `found` is read anew after every remedy, from the answers since then."""

    def __init__(self, verbs: Verbs, route: str) -> None:
        self._verbs, self._numbers, self.route = verbs, verbs.policy.model_drift, route
        self.found, self.since = Findings(), None if verbs.rehearsing else verbs.declared_at - verbs.policy.paced(self._numbers.window)
        self.usual_bad, self.stopped = 0.0, Rollout(candidate=None, percent=0)
        self.ever_blamed: list[Blamed] = []
        self._reached = 0.0  # the greatest share of users with bad answers beyond the usual, so far
        self.judge_distrusted = False
        self._suites_green_told, self._looked, self._rounds = False, False, 0

    async def see(self) -> None:
        """Read the curve: what automation may do alone rests on it."""
        await self._verbs.look(Curves.read, self._curve(Curve.QUALITY))

    async def begin_round(self) -> None:
        """In a later round of mitigation than the first everything is looked at again, and held back again."""
        self._rounds += 1
        if self._rounds > 1:
            self.since, self._looked = None, False
            await self.hold_back()
            await self.survey()

    async def hold_back(self) -> None:
        """Stop rollouts and publishes, so that nothing more changes while we look (A.7 M1)."""
        verbs, route = self._verbs, self.route
        now = await verbs.look(Rollouts.read, Rollouts.look(RolloutOf(route=route)))
        await verbs.impose(PUBLISHING_PAUSED, PublishingPause.order(PublishingOf(route=route), PAUSED))
        if now is not None and now.value.percent:
            self.stopped = now.value
            stop = now.value.model_copy(update={"percent": 0.0})
            await verbs.impose(ROLLOUT_STOPPED, Rollouts.order(RolloutOf(route=route), stop), facts=(f"{now.value} was being rolled out",))

    async def keep_evidence(self) -> None:
        """What failed, on which versions, and what the metrics said: before anything is rolled back (A.7 M2, INV-1)."""
        verbs, numbers = self._verbs, self._numbers
        now = verbs.clock()
        start = now - verbs.policy.paced(numbers.window)
        await verbs.together(
            verbs.look(Answers.keep, KeepFailing(incident_id=verbs.incident_id, route=self.route, window=numbers.window)),
            verbs.look(Evidence.snapshot, Snapshot(incident_id=verbs.incident_id, service=verbs.service, start=start, end=now)),
        )

    async def survey(self) -> None:
        """Everything that can be known in a few minutes, side by side; what cannot be read is unknown (A.7 T1, T2)."""
        verbs, route, found = self._verbs, self.route, Findings()
        found.releases, found.offers, found.suites, rollout, found.guard, found.answers, reading = await verbs.together(
            verbs.look(ReleaseHistory.list, ReleasesOf(route=route)),
            verbs.look(ReleaseHistory.offers, OffersOf(route=route)),
            verbs.look(Evals.suites, SuitesOf()),
            verbs.look(Rollouts.read, Rollouts.look(RolloutOf(route=route))),
            verbs.look(Guardrails.status, StatusOf(route=route)),
            verbs.look(Answers.judged, SamplesOf(route=route, window=self._window())),
            verbs.look(Curves.read, self._curve(Curve.QUALITY)),
        )
        found.rollout = rollout.value if rollout else None
        self._judge(found, reading)
        found.scores, self.found = self.found.scores, found
        if (releases := found.releases) is not None:
            known = all(of in {triple for _, triple in found.scores} for of in releases.eligible()[:1])
            await self.evaluate(releases.serving, *(() if known or self._looked else releases.eligible()[:1]))
        self._looked = True
        self._evals_and_users()

    async def evaluate(self, *triples: str) -> tuple[Score, ...]:
        """Run the fixed suites on triples. Returns what fails surely; what says nothing that may be believed is unknown, and stays so."""
        verbs, suites = self._verbs, self.found.suites.suites if self.found.suites else ()
        runs = [RunSuite(suite=s.name, triple=t, asked_at=verbs.clock(), least=self._numbers.least_cases) for t in triples for s in suites]
        effects = await verbs.together(*(verbs.look(Evals.run, run) for run in runs))
        for run, effect in zip(runs, effects, strict=True):
            self.found.scores[run.suite, run.triple] = None if effect is None or effect.assumed else score_of(effect)
        return tuple(score for triple in triples for score in self.failing(triple))

    def failing(self, triple: str) -> tuple[Score, ...]:
        """What fails surely of a triple. Where the judge model is not trusted any more, only what people labelled counts."""
        return self.found.failing(triple, self._numbers, judged=False if self.judge_distrusted else None)

    def candidates(self) -> tuple[Candidate, ...]:
        return candidates(self.found, self._numbers)

    def remaining(self) -> tuple[str, ...]:
        """The slices that are still bad, without the sessions that are only left from what served before."""
        serving = self.found.releases.serving if self.found.releases else ""
        return tuple(str(one) for one in self.found.blamed if one.of("triple") in ("", serving))

    @property
    def symptom(self) -> bool:
        """Whether anything says that something is wrong: customers' answers, a slice of them, or a suite."""
        serving = self.found.releases.serving if self.found.releases else ""
        return self.found.ill or bool(self.remaining()) or bool(self.failing(serving))

    def providers(self) -> tuple[str, ...]:
        """Whose model is concerned: it moved, a slice names it, or it is the only one that answers."""
        found = self.found
        moved = {name for name, one in found.offers.floating.items() if one in found.moved()} if found.offers else set[str]()
        named = {one.of("provider") for one in found.blamed} | {
            p for p, s in self._snapshots() if s in {one.of("snapshot") for one in found.blamed}
        }
        answering = {provider for provider, _ in self._snapshots()}
        return tuple(sorted(moved or named - {""} or (answering if len(answering) == 1 else set())))

    def _snapshots(self) -> set[tuple[str, str]]:
        """Which snapshot of which provider answered."""
        return {(one.where["provider"], one.where["snapshot"]) for one in (self.found.answers.slices if self.found.answers else ())}

    def worst_tenants(self) -> tuple[str, ...]:
        """Those whose judged answers are surely worse than usual, the worst first."""
        seen = self.found.answers
        hit = {} if seen is None else {t: bad / n for t, (n, bad) in seen.tenants.items() if beyond_chance(bad, n, self.usual_bad)}
        return tuple(sorted(hit, key=lambda tenant: hit[tenant], reverse=True))

    def facts(self) -> Facts:
        """What triage has found, as the severity function reads it."""
        seen = self.found.answers
        tenants = len(seen.tenants) if seen else 0
        return Facts(
            scope=Scope.FEATURE, user_ratio=max(0.0, (seen.share or 0.0) - self.usual_bad) if seen and seen.n else None,
            tenant_ratio=len(self.worst_tenants()) / tenants if tenants else None, tenant_count=len(self.worst_tenants()) if tenants else None,
            duration_s=(self._verbs.clock() - self._verbs.declared_at).total_seconds() * self._verbs.policy.pace,
        )  # fmt: skip

    @property
    def broad(self) -> bool:
        """Whether it reaches more than a tenth of the users: SEV-2 by §9.7, and watched for a day."""
        return self._reached > self._verbs.policy.severity.many_users_ratio

    def tell_tenants(self) -> None:
        """Reports are acknowledged early, even unproven; those with affected outputs are told the window (spec §9.7, comms)."""
        who = named(self.worst_tenants())
        self._verbs.task(
            f"Acknowledge reports; tell the tenants whose answers were wrong the window, and how to correct: {who}", Role.COMMS_LEAD
        )

    async def rule_out_others(self) -> None:
        """A provider that fails, a poisoned cache, an injection: those playbooks are called in, and this one goes on (spec §9.7, §11)."""
        verbs, policy = self._verbs, self._verbs.policy
        calls, *readings = await verbs.together(
            verbs.look(Models.calls, Log(route=self.route, window=policy.provider_outage.log_window)),
            *(verbs.look(Curves.read, self._curve(curve)) for curve in ELSEWHERE),
        )
        for provider in sorted({line.provider for line in calls.lines} if calls else ()):
            failed = calls.failed_share(provider)
            if calls.n(provider) >= policy.provider_outage.least_calls and failed > policy.provider_outage.error_ratio:
                await verbs.call_in("llm_provider_outage", f"{provider} fails {failed:.0%} of the calls of {self.route}")
        for (curve, playbook), reading in zip(ELSEWHERE.items(), readings, strict=True):
            if reading is not None and reading.ill:
                await verbs.call_in(playbook, reading.in_words)
            elif reading is None or not reading.well:
                verbs.note(f"not ruled out: {playbook.replace('_', ' ')}; nobody can say how the {curve} of {self.route} is", "unknown")

    def from_here(self, at: datetime) -> None:
        """A remedy was applied: only answers since then are looked at, and what was evaluated before says nothing any more."""
        self.since = at
        self.found.scores.clear()

    def _judge(self, found: Findings, reading: CurveReading | None) -> None:
        verbs, numbers, seen = self._verbs, self._numbers, found.answers
        found.ill = reading is not None and any(one.part == JudgedAnswers.name for one in reading.ill)
        if reading is not None and reading.usual is not None:
            self.usual_bad = 1 - reading.usual
        if seen is None or not seen.consent or seen.n < numbers.least_answers:
            why = (
                "customers have not consented to samples"
                if seen is not None and not seen.consent
                else f"{seen.n if seen else 0} judged answers"
            )
            verbs.note(f"{why}: no slice says anything below {numbers.least_answers} of them", "unknown")
            return
        self._reached = max(self._reached, (seen.share or 0.0) - self.usual_bad)
        found.blamed = blamed(seen, self.usual_bad)
        for one in found.blamed:
            self.ever_blamed.append(one)
            verbs.note(str(one), "slice")

    def _evals_and_users(self) -> None:
        """Offline evals may be green while users suffer: users decide, the severity stays, and the suites get a new case (spec §9.7)."""
        found, serving = self.found, self.found.releases.serving if self.found.releases else ""
        if (found.ill or self.remaining()) and found.known(serving) and not self.failing(serving) and not self._suites_green_told:
            self._suites_green_told = True
            slices = "; ".join(one.name for one in found.blamed) or "what users meet"
            self._verbs.note(f"the evals of {serving} are green, users are not: users decide, and the severity stays", "evals")
            self._verbs.task(f"Build eval cases for {slices}: no suite holds them", Role.AI_ML_LEAD)

    def _curve(self, curve: Curve) -> CurveOf:
        policy = self._verbs.policy
        return CurveOf(curve=curve, service=self._verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)

    def _window(self) -> timedelta:
        """How far back answers count, in policy time."""
        if self.since is None:
            return self._numbers.window
        passed = (self._verbs.clock() - self.since) * self._verbs.policy.pace
        return min(self._numbers.window, max(passed, timedelta(seconds=1)))


def named(triples: Sequence[str]) -> str:
    return ", ".join(triples) or "none"
