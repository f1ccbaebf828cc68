"""What is done about each cause, and whether it helped (spec §9.7; A.7 M3 to M7). The order of causes is in `cure`; what each needs is here."""

from collections.abc import Awaitable, Callable

from activities.action import Role
from activities.caches.caches import Caches
from activities.caches.evidence import CacheEvidence
from activities.caches.keys import Entries
from activities.caches.orders import CacheExport, Invalidation
from activities.guardrails.guardrails import CLOSED, TIGHTENED, Guardrails, PostureOf
from activities.metrics.curves import Curves
from activities.models.modes import DEGRADED, degrade
from activities.registry.choices import PINNED, Snapshot, SnapshotOf, Snapshots
from activities.registry.guard_chains import GUARDS_RESTORED, GuardChain, GuardChainOf, GuardChains
from activities.registry.releases import ClearSticky, StickySessions
from activities.registry.triples import ROLLED_BACK, Triple, TripleOf, Triples
from activities.retriever.library import DomainsOf, Libraries
from workflows.engine.changes import ChangeResult
from workflows.engine.verbs import Verbs
from workflows.incident import Silence
from workflows.playbooks.model_drift.causes import Candidate, Cause
from workflows.playbooks.model_drift.regression import Regression, named
from workflows.status import Standing, Suspect

Act = Callable[[Candidate], Awaitable[bool]]  # False: nothing was done


class Remedies:
    def __init__(self, verbs: Verbs, drift: Regression) -> None:
        self._verbs, self._drift, self._numbers = verbs, drift, verbs.policy.model_drift
        self._became: dict[Cause, tuple[Standing, str]] = {}

    def begin_round(self) -> None:
        """The impact is back: what was found out about a cause may be different now."""
        self._became.clear()

    async def cure(self, act: Act) -> None:
        """Act on one cause after another, the likeliest first, and go on looking after the first: causes overlap. Raises `HandOver`."""
        verbs, drift = self._verbs, self._drift
        while drift.symptom or verbs.rehearsing:
            examined = drift.candidates()
            open_ = [one for one in examined if one.points > 0 and one.cause not in self._became]
            chosen = open_[0] if open_ else Candidate(Cause.UNKNOWN, 0.0, drift.remaining() or ("nothing that was examined is left",))
            if chosen.cause in self._became:
                verbs.hand_over(
                    f"nothing that we could do has helped; still bad: {'; '.join(drift.remaining()) or 'what customers are answered'}"
                )
            verbs.suspect(self._shown(examined, chosen))
            verbs.note(f"examined {len(examined)} causes; acted on: {chosen.cause} ({'; '.join(chosen.evidence)})", "diagnosis")
            before = drift.remaining()
            done = await act(chosen)
            if verbs.rehearsing:
                return
            await self._judge(chosen.cause, before, done=done)
            verbs.suspect(self._shown(drift.candidates(), None))
        verbs.note("nothing says that anything is wrong any more")

    def _shown(self, examined: tuple[Candidate, ...], chosen: Candidate | None) -> tuple[Suspect, ...]:
        shown = []
        for one in examined if chosen is None or chosen in examined else (*examined, chosen):
            standing, why = self._became.get(one.cause, (Standing.ACTED_ON if one is chosen else Standing.SUSPECTED, ""))
            shown.append(one.suspect(standing).model_copy(update={"why": why}))
        return tuple(shown)

    async def _judge(self, cause: Cause, before: tuple[str, ...], *, done: bool) -> None:
        """Whether it helped, by what customers are answered since. What is still bad has another cause."""
        verbs, drift = self._verbs, self._drift
        if not done:
            self._became[cause] = Standing.NOT_POSSIBLE, "its remedy was not applied"
            return
        if cause is Cause.JUDGE:
            self._became[cause] = Standing.UNPROVEN, "the judge model is not believed until it is mended"
            return
        ended = await self._improved()
        after = drift.remaining()
        if ended and not after:
            self._became[cause] = Standing.UNPROVEN, "its remedy has helped"
            verbs.note(f"better: the remedy for {cause} has helped")
        elif cured := [one for one in before if one.partition(":")[0] not in {two.partition(":")[0] for two in after}]:
            self._became[cause] = Standing.UNPROVEN, "its remedy has cured some slices, and not others"
            still = "; ".join(after) or "what customers are answered"
            verbs.note(f"partly better: cured {'; '.join(cured)}. Still bad: {still}. There is another cause")
        else:
            self._became[cause] = Standing.RULED_OUT, "its remedy was applied, and did not help"
            verbs.note(
                f"no better: the remedy for {cause} was applied and has not helped; it is ruled out, and the next cause is looked for"
            )

    async def _improved(self) -> bool:
        """Whether the curve has ended, within the time that policy gives it. As soon as enough answers show that it has not, no longer."""
        verbs, drift, numbers = self._verbs, self._drift, self._numbers
        drift.from_here(verbs.clock())
        deadline = verbs.clock() + verbs.policy.paced(numbers.improvement_within)
        await verbs.rest(numbers.settled, "answers since then, to judge it by")
        while True:
            curve = verbs.impact.curve()
            assert curve is not None  # noqa: S101 - narrows the type; the card has one
            verdict = verbs.impact.judge_curve(await verbs.read(Curves.read, curve))
            if verdict.ended or verbs.clock() >= deadline:
                await drift.survey()
                return verdict.ended
            if verdict.impact:
                await drift.survey()
                if drift.remaining():
                    return False
            await verbs.rest(verbs.policy.mitigated_window, "whether that helped")

    # ---- the remedies ----

    async def roll_back(self) -> bool:
        """The last blessed triple, as a unit; where it fails its evals too, an older one; where none passes, answers are degraded (A.7 M3)."""
        verbs, drift = self._verbs, self._drift
        releases = drift.found.releases
        options = releases.eligible()[: self._numbers.older_triples] if releases else ()
        if not options:
            verbs.note("no blessed triple is left to roll back to: publishing stays paused, and the guardrails are tightened")
            return await self.tighten("there is no blessed triple") and await self.degrade()
        for triple in await self._in_order(options, releases.serving if releases else ""):
            expected = bool(drift.failing(triple))
            result = await self._serve(triple)
            if not result:
                return await self._worst_slice_only(result)
            if result.effect is not None and result.effect.assumed:
                return True
            if not await drift.evaluate(triple) or expected:
                await self._after_rollback(triple)
                return True
            verbs.note(f"{triple} serves, and fails its evals too: {'; '.join(map(str, drift.failing(triple)))}; an older one is tried")
        verbs.note(f"none of the blessed triples passes its evals, nor is better than what serves: {named(options)}")
        return await self.degrade()

    async def _in_order(self, options: tuple[str, ...], serving: str) -> tuple[str, ...]:
        """Those that may serve, in the order in which they are tried: what passes, the newest first.

        Where none passes because something else is wrong too: the newest of those that are surely better than what serves.
        """
        verbs, drift, drop = self._verbs, self._drift, self._numbers.eval_drop
        if not drift.found.known(options[0]):
            await drift.evaluate(options[0])
        if not drift.failing(options[0]):
            return options[:1] if verbs.rehearsing else options
        verbs.note(f"{options[0]} fails its evals too: {'; '.join(map(str, drift.failing(options[0])))}; older ones are looked at")
        await drift.evaluate(*(one for one in options if not drift.found.known(one)))
        if passing := tuple(one for one in options if drift.found.known(one) and not drift.failing(one)):
            return passing
        means = {one: mean for one in options if (mean := drift.found.mean(one)) is not None}
        now, best = drift.found.mean(serving) or 1.0, max(means.values(), default=0.0)
        if best < now + drop:
            return ()
        chosen = next(one for one in options if means.get(one, 0.0) >= best - drop)
        verbs.note(f"none passes, but {chosen} is better than {serving} ({means[chosen]:.0%} and {now:.0%}): something else is wrong too")
        return (chosen,)

    async def _serve(self, triple: str) -> ChangeResult:
        found = self._drift.found
        scores = [str(score) for (_, of), score in sorted(found.scores.items()) if of == triple and score]
        facts = (*(str(one) for one in found.blamed[:2]), *(scores[:2] or [f"nobody can say how {triple} does in the evals"]))
        order = Triples.order(self._triple_of(), Triple.read(triple), why="answers became worse")
        return await self._verbs.impose(ROLLED_BACK, order, facts=facts, silence=Silence.SAFE)

    async def _worst_slice_only(self, result: ChangeResult) -> bool:
        """Nobody answered: the safe action is the worst slice only, within what automation may do alone. A *no* is a no."""
        if not result.unanswered:
            return False
        verbs, tenants = self._verbs, self._drift.worst_tenants()[: self._verbs.policy.limits.tenants]
        verbs.note(f"nobody answered: only the worst slice is kept from the model: {named(tenants)}")
        return bool(await verbs.impose(DEGRADED, degrade(self._drift.route, tenants), facts=("nobody answered",), authorised=True))

    async def _after_rollback(self, triple: str) -> None:
        """The guard chain came with the triple; then tainted cache entries, and the sessions that are still with what served before (M4 to M6)."""
        verbs, drift = self._verbs, self._drift
        verbs.note(f"guard chain {Triple.read(triple).guard} is in force again, with its triple")
        if (releases := drift.found.releases) is not None:
            await self._invalidate(releases.serving)
        await verbs.propose(StickySessions.create, ClearSticky(route=drift.route), facts=(f"new sessions are answered by {triple}",))

    async def _invalidate(self, tainted: str) -> None:
        """The cached answers that the tainted prompt made, domain by domain, kept as evidence before; by people where no cache of ours is known."""
        verbs = self._verbs
        prompt = self._numbers.cache_tag.format(route=self._drift.route, prompt=Triple.read(tainted).prompt)
        kept = await verbs.look(CacheEvidence.keep, CacheExport(incident_id=verbs.incident_id, entries=Entries(prompt=prompt)))
        domains = await verbs.look(Libraries.domains, DomainsOf()) if kept is not None else None
        if kept is None or domains is None:
            verbs.task(f"Invalidate the cached answers that are tagged with {tainted}: by tag, never everything", Role.OPS_LEAD)
            return
        for domain in domains.domains:
            order = Invalidation(
                entries=Entries(domain=domain, prompt=prompt), evidence=str(kept.after.get("sha256", "")), why=f"made by {tainted}"
            )
            await verbs.propose(Caches.invalidate, order)

    async def restore_guards(self) -> bool:
        """The guard chain that was blessed with the rest, alone: a narrow change (A.7 M4). While they are down, that is a state."""
        found = self._drift.found
        if found.guard is not None and found.guard.up is False:
            return await self.tighten("the guardrails are down")
        if found.releases is None or not (older := found.releases.eligible()):
            return False
        serving, blessed = Triple.read(found.releases.serving), Triple.read(older[0])
        if not serving.only_guard(blessed):
            return False
        of = GuardChainOf(route=self._drift.route, store=self._triple_of().store)
        order = GuardChains.order(of, GuardChain(version=blessed.guard), why=f"{blessed.short} was blessed with it")
        return bool(await self._verbs.impose(GUARDS_RESTORED, order))

    async def pin_or_fail_over(self) -> bool:
        """The provider's model has changed: pin the snapshot that we know; where there is none, §2.2 fails over (A.7 M7). And a vendor case."""
        verbs, drift = self._verbs, self._drift
        offers, providers = drift.found.offers, drift.providers()
        answers = f"{named(drift.found.moved())} answers" if drift.found.moved() else "its model answers"
        verbs.task(f"Open a case with {named(providers)}: {answers} worse than what we evaluated", Role.AI_ML_LEAD)
        known = sorted(one for one, provider in offers.snapshots.items() if provider in providers) if offers and drift.found.moved() else []
        if known:
            order = Snapshots.order(SnapshotOf(route=drift.route), Snapshot(pinned=known[-1]), why="it is the last one that we evaluated")
            if await verbs.impose(PINNED, order, facts=tuple(map(str, drift.found.blamed[:2]))):
                return True
        await verbs.call_in("llm_provider_outage", f"the model of {named(providers)} answers worse than what we evaluated")

        return True

    def distrust_the_judge(self) -> bool:
        """The judge model drifted: only the fixed set that people labelled counts from now on. Nothing that customers use is changed."""
        verbs, drift = self._verbs, self._drift
        drift.judge_distrusted = True
        verbs.note("the judge model of the evals is not believed: only what people labelled counts", "evals")
        verbs.task(
            "Mend the judge model of the evals, by the fixed set that people labelled; no threshold is lowered meanwhile", Role.AI_ML_LEAD
        )
        return True

    async def tighten(self, why: str) -> bool:
        """Stricter guardrails, high-risk tools closed, and a banner in chat."""
        order = Guardrails.order(PostureOf(route=self._drift.route), CLOSED, why=why)
        return bool(await self._verbs.impose(TIGHTENED, order))

    async def degrade(self) -> bool:
        """Retrieval only, labelled, for those whose answers are bad; people take the rest (spec §9.7, if it fails)."""
        verbs, drift = self._verbs, self._drift
        tenants = drift.worst_tenants() or (drift.found.offers.tenants if drift.found.offers else ())
        verbs.task("Take over the conversations that need a person: answers are degraded meanwhile", Role.OPS_LEAD)
        return bool(await verbs.impose(DEGRADED, degrade(drift.route, tenants), facts=drift.remaining()[:2], authorised=True))

    def _triple_of(self) -> TripleOf:
        langfuse = self._verbs.policy.systems.get("registry") == "langfuse"
        return TripleOf(route=self._drift.route, store="langfuse" if langfuse else "mlflow")
