"""The way back: evals pass again, people have judged a sample, and what was being rolled out goes on in steps that soak (A.7 R1, R2)."""

from activities.action import Role
from activities.evals.rollout_watch import RolloutWatches, WatchRollout
from activities.kit.setting import Change
from activities.metrics.counting import at_most_by_chance
from activities.models.canary_core import Verdict
from activities.registry.choices import PINNED
from activities.registry.guard_chains import GUARDS_RESTORED
from activities.registry.orders import ReleasesOf
from activities.registry.releases import (
    PUBLISHING_PAUSED,
    ROLLOUT_STOPPED,
    Publishing,
    PublishingOf,
    PublishingPause,
    ReleaseHistory,
    Rollout,
    RolloutOf,
    Rollouts,
)
from activities.registry.triples import ROLLED_BACK, Triple, TripleOf, Triples
from workflows.engine.proof.proof import minutes
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft, Silence
from workflows.people.questions import ApprovalTerms
from workflows.playbooks.model_drift.regression import Regression


class WayBack:
    def __init__(self, verbs: Verbs, drift: Regression) -> None:
        self._verbs, self._drift, self._numbers = verbs, drift, verbs.policy.model_drift

    async def evaluated(self) -> None:
        """Wait until every trusted suite passes on what serves. What says nothing that may be believed is no pass; after a while people decide."""
        verbs, numbers = self._verbs, self._numbers
        deadline, told = verbs.clock() + verbs.policy.paced(numbers.eval_patience), False
        while True:
            serving, open_ = await self._open()
            if not open_:
                verbs.note(f"every suite that counts passes on {serving}", "evals")
                return
            verbs.note(f"not passed on {serving}: {'; '.join(open_)}", "evals")
            if not told:
                told = True
                verbs.task(f"See to the eval runner or to {serving}: {'; '.join(open_)}. No threshold is lowered to pass", Role.AI_ML_LEAD)
            if verbs.clock() >= deadline:
                await self._without_evals(open_)
                return
            await verbs.rest(numbers.eval_again, "evals that can be believed")

    async def _open(self) -> tuple[str, tuple[str, ...]]:
        """What serves, and what keeps it from passing."""
        verbs, drift = self._verbs, self._drift
        releases = await verbs.look(ReleaseHistory.list, ReleasesOf(route=drift.route))
        if releases is None or drift.found.suites is None:
            return "what serves", ("neither the releases nor the suites can be read",)
        if verbs.rehearsing:
            return releases.serving, ()
        await drift.evaluate(releases.serving)
        counted = [one for one in drift.found.suites.suites if not (one.judged and drift.judge_distrusted)]
        scores = [(one, drift.found.scores.get((one.name, releases.serving))) for one in counted]
        silent = tuple(f"{one.name} says nothing that may be believed" for one, score in scores if score is None)
        low = tuple(str(score) for one, score in scores if score and score.surely_below(one.baseline, self._numbers.eval_margin))
        return releases.serving, silent + low

    async def _without_evals(self, open_: tuple[str, ...]) -> None:
        verbs = self._verbs
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"The evals have not passed for {minutes(self._numbers.eval_patience)}. Go on by what customers are answered, and by people?",
                roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="recovery goes on; the suites stay as they are", facts=open_,
                inverse="decline: people carry on by hand",
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"the evals have not passed: {'; '.join(open_)}")

    async def settled(self) -> None:
        """A blessed triple that serves is nothing to lift. A pinned snapshot stays in somebody's name, until the new one was evaluated."""
        verbs = self._verbs
        for imposed in (*verbs.in_force(ROLLED_BACK), *verbs.in_force(GUARDS_RESTORED)):
            verbs.note(f"it serves from now on, blessed as a whole: {imposed.says}")
            verbs.ended(imposed)
        for imposed in verbs.in_force(PINNED):
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"Keep it in your name: {imposed.says}? The provider's newer snapshot has not passed our evals",
                    roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="the snapshot stays pinned, with a task to evaluate the newer one",
                    inverse="decline: people carry on by hand",
                )
            )  # fmt: skip
            if not decision.granted:
                verbs.hand_over(f"nobody keeps the pinned snapshot: {imposed.says}")
            verbs.keep(imposed, decision.by)
            verbs.task("Evaluate the provider's newer snapshot, and unpin when it passes", Role.AI_ML_LEAD)

    async def judged_by_people(self) -> None:
        """No judge model's score alone closes it: people judge a sample, and their result is on the record. Raises `HandOver` when it is bad."""
        verbs, n = self._verbs, self._numbers.human_sample
        most = int(at_most_by_chance(n, self._drift.usual_bad))
        task = verbs.task(
            f"Let people judge {n} answers of now, drawn over all slices, and say how many are bad (at most {most})", Role.AI_ML_LEAD
        )
        decision = await verbs.confirm(
            QuestionDraft(
                asks=f"People have judged {n} answers, and at most {most} of them are bad? Say the result",
                roles=(Role.AI_ML_LEAD,), effect="the incident may be resolved", inverse="decline: it goes on", facts=(task.text,),
            )
        )  # fmt: skip
        if not decision.granted:
            verbs.hand_over(f"{decision.by} does not find the sample good, whatever the evals say")
        if not verbs.rehearsing and decision.question.answers:
            verbs.attested(task, f"{decision.by}: {decision.question.answers[-1].reason}")

    async def roll_out_again(self) -> None:
        """What is rolled out next: a fix that was blessed meanwhile, or what was stopped and is innocent. In steps, each soaks (A.7 R2)."""
        verbs, drift = self._verbs, self._drift
        candidate, why = await self._candidate()
        if not candidate:
            verbs.note(f"no rollout is resumed: {why}")
        elif await drift.evaluate(candidate) or not drift.found.known(candidate):
            verbs.note(f"{candidate} is not rolled out: {'; '.join(map(str, drift.failing(candidate))) or 'its evals say nothing'}")
        else:
            await self._climb(candidate, why)
        for imposed in verbs.in_force(ROLLOUT_STOPPED):
            verbs.ended(imposed)

    async def _candidate(self) -> tuple[str, str]:
        """The triple to be rolled out, and why; or nothing, and why."""
        verbs, drift = self._verbs, self._drift
        releases = await verbs.look(ReleaseHistory.list, ReleasesOf(route=drift.route))
        if releases is None:
            return "", "the releases cannot be read"
        fixes = [
            one.triple for one in releases.releases
            if one.blessed_at and one.blessed_at > verbs.declared_at and not one.blocklisted and one.triple != releases.serving
        ]  # fmt: skip
        if fixes:
            return fixes[-1], "it was blessed since the incident began"
        stopped = drift.stopped.candidate
        if not stopped or stopped == releases.serving:
            return "", "none was under way, and no fix was blessed meanwhile"
        guilty = [one.name for one in drift.ever_blamed if one.of("triple") == stopped]
        return ("", f"{stopped} was to blame: {guilty[0]}") if guilty else (stopped, "it was stopped, and is not to blame")

    async def _climb(self, candidate: str, why: str) -> None:
        verbs, drift, numbers = self._verbs, self._drift, self._numbers
        steps = [self._order(candidate, percent) for percent in numbers.rollout_steps]
        back = self._order(candidate, 0)
        terms = ApprovalTerms(
            asks=f"Roll {candidate} out on {drift.route}, in steps of {', '.join(f'{p:g}' for p in numbers.rollout_steps)} %?",
            facts=(
                why,
                f"each step soaks for {minutes(numbers.canary.min_dwell)} at least; it stops at a veto, at worse answers, or without data",
            ),
            lasting=(numbers.canary.max_dwell + numbers.canary.hold) * len(steps),
        )
        before = await verbs.read(Rollouts.read, Rollouts.look(RolloutOf(route=drift.route)))
        decision = await verbs.approve_all(Rollouts.change, [one.given(before) for one in (*steps, back)], terms)
        if decision.grant is None:
            verbs.note(f"{candidate} is not rolled out: {'nobody answered' if decision.unanswered else f'{decision.by} does not want it'}")
            return
        free = PublishingPause.order(PublishingOf(route=drift.route), Publishing(publishes="refused", rollouts="open"))
        if not await verbs.impose(PUBLISHING_PAUSED, free, facts=(f"so that {candidate} may be rolled out; publishes stay refused",)):
            return
        for n, order in enumerate(steps, start=1):
            if not await verbs.propose(Rollouts.change, await self._given(order), under=decision.grant):
                return
            if not await self._stand_on(candidate, numbers.rollout_steps[n - 1], n):
                await verbs.propose(Rollouts.change, await self._given(back), under=decision.grant)
                taken_back = f"{candidate} was taken back at {numbers.rollout_steps[n - 1]:g} %"
                verbs.task(f"{taken_back}: find out why, before it is rolled out again", Role.AI_ML_LEAD)
                return
        await self._serve(candidate)

    async def _stand_on(self, candidate: str, percent: float, n: int) -> bool:
        """Watch one step until it is decided. Undecided, a named person goes on, or it is taken back: never promoted in doubt."""
        verbs, drift, numbers = self._verbs, self._drift, self._numbers
        if verbs.assumes(Rollouts.change):
            return True
        releases = await verbs.read(ReleaseHistory.list, ReleasesOf(route=drift.route))
        order = WatchRollout(
            route=drift.route, candidate=candidate, control=releases.serving, percent=percent, step=n, steps=len(numbers.rollout_steps),
            policy=numbers.canary, quality_drop=numbers.quality_drop,
        )  # fmt: skip
        while True:
            watched = await verbs.until_alarmed(RolloutWatches.watch, order)
            if watched is None:
                return False
            await verbs.until(watched.ended_at, "")
            if watched.verdict is Verdict.ADVANCE:
                return True
            verbs.note(f"rollout {watched.verdict} at {percent:g} %: {watched.reason}")
            if watched.verdict is Verdict.ABORT:
                return False
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"The rollout of {candidate} is undecided at {percent:g} %: {watched.reason}. Watch on?",
                    roles=(Role.AI_ML_LEAD, Role.INCIDENT_COMMANDER), effect="stay on this step and gather more evidence",
                    inverse="decline: its share goes back to 0", silence=Silence.HOLD,
                )
            )  # fmt: skip
            if not decision.granted:
                return False

    async def _serve(self, candidate: str) -> None:
        """All new sessions are answered by it: it becomes what serves, and the rollout is over."""
        verbs, route = self._verbs, self._drift.route
        langfuse = verbs.policy.systems.get("registry") == "langfuse"
        of = TripleOf(route=route, store="langfuse" if langfuse else "mlflow")
        order = Triples.order(of, Triple.read(candidate), why="its rollout has passed every step")
        done = await verbs.propose(Triples.change, order.given(await verbs.read(Triples.read, Triples.look(of))))
        if done:
            over = Rollouts.order(RolloutOf(route=route), Rollout(candidate=None, percent=0))
            await verbs.propose(Rollouts.change, await self._given(over))

    def _order(self, candidate: str, percent: float) -> Change[RolloutOf, Rollout]:
        return Rollouts.order(RolloutOf(route=self._drift.route), Rollout(candidate=candidate, percent=percent))

    async def _given(self, order: Change[RolloutOf, Rollout]) -> Change[RolloutOf, Rollout]:
        return order.given(await self._verbs.read(Rollouts.read, Rollouts.look(order.of)))
