"""The queues of one service: looked at, relieved step by step, the narrowest first, and drained at a measured rate. The decisions are here."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import cast

from activities.action import Role
from activities.kit.setting import Change
from activities.metrics.curves import CurveOf, CurveReading, Curves
from activities.queues.holding import DRAINED, PAUSED, Consumers, ConsumersOf, Consuming, Rate, RateOf, Rates
from activities.queues.queues import JobsOf, Queues, WorkOf
from activities.queues.seen import QueueSeen, WorkSeen
from activities.values import Curve, span
from workflows.engine.verbs import Verbs
from workflows.playbooks.queue_backlog.causes import Cause, Found, Seen, diagnose, ill
from workflows.playbooks.queue_backlog.relief import Relief, noisy
from workflows.status import Standing, Suspect

Lever = Callable[[Seen], Awaitable[bool]]
STOPPED = 0.1  # of the requests are still let in while a collapse is drained


class Backlog:
    """What piles up, and what was done about it."""

    def __init__(self, verbs: Verbs, named: Sequence[str]) -> None:
        self._verbs, self._numbers, self._named = verbs, verbs.policy.queue_backlog, [name for name in named if name]
        self.relief, self._suspects = Relief(verbs), dict[str, Suspect]()
        self._rounds, self._fuller = 0, 0.0
        self._held: tuple[str, ...] = ()

    # -- looking ------------------------------------------------------------------------------------------------------------------

    async def survey(self) -> Seen:
        """Rates, ages, attempts, tenants' shares, workers and what they stand on, side by side (T1)."""
        verbs, broker = self._verbs, self.relief.broker
        curve, work = await verbs.together(self.curve(), verbs.look(Queues.work, WorkOf(broker=broker)))
        work = await self._ages(work if work is not None else await self._broker_fails())
        self.relief.say_what_is_by_people()
        queues = ill(work, self._numbers)
        causes = diagnose(work, queues, self._numbers, self._named)
        for found in causes:
            self._stands(found, Standing.SUSPECTED)
        if work.silent:
            verbs.note(f"{', '.join(work.silent)} did not answer: what they do is unknown, they do not count as idle", "finding")
        return Seen(work, curve, queues, causes)

    async def latest(self, seen: Seen) -> Seen:
        """What triage has found, for the first round of mitigation; for a later one everything is looked at again."""
        self._rounds += 1
        return seen if self._rounds == 1 else await self.survey()

    async def curve(self) -> CurveReading:
        policy = self._verbs.policy
        order = CurveOf(curve=Curve.BACKLOG, service=self._verbs.service, numbers=policy.curves, fresh=policy.stability.fresh)
        return await self._verbs.do(Curves.read, order)

    async def _ages(self, work: WorkSeen) -> WorkSeen:
        """Where nobody can say how deep a queue is, the ages of its oldest jobs are sampled (if it fails)."""
        blind = [one for one in work.queues if one.oldest_age_seconds is None]
        if not blind:
            return work
        verbs = self._verbs
        verbs.note(f"no depth of {', '.join(one.name for one in blind)} can be read: the ages of the oldest jobs are sampled", "finding")
        looks = (verbs.look(Queues.jobs, JobsOf(queue=one.name, limit=self._numbers.sampled, broker=self.relief.broker)) for one in blind)
        sampled = dict(zip((one.name for one in blind), await verbs.together(*looks), strict=True))

        def with_age(queue: QueueSeen) -> QueueSeen:
            found = sampled.get(queue.name)
            return queue if found is None else queue.model_copy(update={"oldest_age_seconds": found.oldest})

        return work.model_copy(update={"queues": tuple(with_age(one) for one in work.queues)})

    async def _broker_fails(self) -> WorkSeen:
        """Nobody can say anything: producers are stopped, and nothing is restarted (if it fails: the broker itself)."""
        verbs, numbers = self._verbs, self._numbers
        verbs.note("the broker does not answer: what waits, and who works, is unknown", "finding")
        verbs.task(
            "Spool at the edge what is enqueued; the broker is restarted only on the word of the DB Lead or the Ops Lead", Role.OPS_LEAD
        )
        await self.relief.hold_everybody_back(STOPPED, ("the broker does not answer",))
        waited = timedelta(0)
        while (work := await verbs.try_to_read(Queues.work, WorkOf(broker=self.relief.broker))) is None:
            if waited >= numbers.drain_patience:
                verbs.hand_over("the broker does not answer: it is for the DB Lead and the Ops Lead")
            await verbs.rest(numbers.look_again, "the broker to answer")
            waited += numbers.look_again
        verbs.note("the broker answers again")
        return work

    # -- relieving ----------------------------------------------------------------------------------------------------------------

    async def relieve(self, seen: Seen) -> None:
        """One lever after the other, until the ages have come back: shed and isolate, lend and scale, shed more, let expire."""
        verbs, numbers = self._verbs, self._numbers
        if not seen.ill:
            verbs.note("no queue is later than it may be: nothing is changed, and the curve is watched")
            return
        levers: tuple[Lever, ...] = (self._shed, self._strengthen, self._shed_more, self._expire)
        for lever in levers:
            if not await lever(seen) or verbs.rehearsing:
                continue
            seen = await self._drained(seen, numbers.drains_within)
            if seen.curve.well or not seen.ill:
                return
        if not verbs.rehearsing and _drain(seen, numbers.drain_patience):
            seen = await self._drained(seen, numbers.drain_patience)
            if seen.curve.well:
                return
        for found in seen.causes:
            self._stands(found, Standing.UNPROVEN, "acted on, and the queues are late still")
        verbs.task("Find out by hand why the queues do not drain; what was held back stays so meanwhile", Role.OPS_LEAD)

    async def _shed(self, seen: Seen) -> bool:
        """Backpressure, the tenant first; what can wait waits; poison is parked; retries are eased (M1 to M5)."""
        relief, verbs, facts = self.relief, self._verbs, tuple(one.evidence[0] for one in seen.causes)
        for found in seen.causes:
            self._stands(found, Standing.ACTED_ON)
        self._tell_dependency(seen)
        if seen.of(Cause.COLLAPSE):
            verbs.note("work expires before it is done: intake is stopped, what waits is drained, and it is let in again slowly", "finding")
            if await relief.hold_everybody_back(STOPPED, facts):
                return await relief.pause_deferrable(seen) or True
        self._held = noisy(seen, verbs.policy.limits.tenants)
        done = await verbs.together(
            relief.hold_back(self._held, seen.ill, facts, self._numbers.intake_share),
            relief.pause_deferrable(seen),
            *(relief.park_poison(one) for one in seen.of(Cause.POISON)),
            *(relief.ease_retries(one, seen) for one in seen.of(Cause.RETRIES)),
        )
        return any(done)

    async def _strengthen(self, seen: Seen) -> bool:
        """Workers that are stuck are restarted, those of deferrable queues are lent, and more are started where there is room (M6, M7)."""
        relief = self.relief
        restarts = (relief.restart(one, len(seen.work.workers)) for one in seen.of(Cause.STUCK))
        done = await self._verbs.together(relief.lend(seen), relief.scale(seen), *restarts)
        return any(done)

    async def _shed_more(self, seen: Seen) -> bool:
        """Everybody, on the commander's word; nobody's answer holds back only those who bring most."""
        facts = tuple(one.evidence[0] for one in seen.causes)
        if await self.relief.hold_everybody_back(self._numbers.wide_intake, facts):
            return True
        tenants = self._held or noisy(seen, self._verbs.policy.limits.tenants)  # never more of them than automation may
        return await self.relief.hold_back(tenants, seen.ill, facts, self._numbers.intake_share * self._numbers.wide_intake)

    async def _expire(self, seen: Seen) -> bool:
        """What is not critical, and of no use any more."""
        candidates = [one for one in seen.work.queues if one.kind in ("standard", "deferrable") and (one.late or 0.0) > 1]
        return any([await self.relief.let_expire(one) for one in candidates])

    def _tell_dependency(self, seen: Seen) -> None:
        for found in seen.of(Cause.DEPENDENCY):
            self._verbs.task(f"Find out why {found.evidence[0]}; the workers are not scaled into it", Role.DB_LEAD)

    # -- draining (R1) ------------------------------------------------------------------------------------------------------------

    async def _drained(self, before: Seen, within: timedelta) -> Seen:
        """Wait as long as the queues drain within so long. What is paused is looked at again, draining is slowed where it harms."""
        verbs, numbers, waited = self._verbs, self._numbers, timedelta(0)
        while True:
            await verbs.rest(
                numbers.helped_within, f"whether the queues drain: the latest is at {before.late:.1f} times of what it may wait"
            )
            waited += numbers.helped_within
            now = await self.survey()
            if now.curve.well:
                return now
            await self._still_paused()
            await self._measure_drain(now)
            if not _drain(now, within) or waited >= numbers.drain_patience:
                verbs.note(f"the queues do not drain within {span(within)}: {now.curve.in_words}", "finding")
                return now
            before = now

    async def _still_paused(self) -> None:
        """A worker that was restarted has forgotten that it was told to pause: it is told again."""
        for imposed in self._verbs.in_force(PAUSED):
            if imposed.assumed:
                continue
            order = cast("Change[ConsumersOf, Consuming]", imposed.order)
            now = await self._verbs.read(Consumers.read, order.look())
            if not order.met(now):
                self._verbs.note(f"{order.of.queue} is {now.value} again, and was paused: its workers have forgotten it", "finding")
                await self._verbs.impose(PAUSED, order, onto=imposed)

    async def _measure_drain(self, seen: Seen) -> None:
        """What drains must not fill what it stands on: it is halved where that is full, and again where that has helped."""
        full, numbers, verbs = seen.work.fullest, self._numbers, self._verbs
        if full is None or full[1] < numbers.saturation:
            return
        if self._fuller and full[1] > self._fuller - numbers.less_full:
            if held := [one for one in verbs.in_force(DRAINED) if not one.assumed]:
                verbs.note(f"draining more slowly does not empty the {full[0]}: it is not these jobs that fill it", "finding")
                await verbs.take_back(held, "it has not helped")
            return
        self._fuller = full[1]
        for queue in (one for one in seen.work.queues if not one.deferrable and (one.late or 0.0) > numbers.late):
            if self.relief.by_people("rate", f"Begin fewer jobs of {queue.name}: the {full[0]} is {full[1]:.0%} full"):
                continue
            mine = RateOf(queue=queue.name, broker=self.relief.broker)
            held_one = next((one for one in verbs.in_force(DRAINED) if one.order.target() == mine.target()), None)
            before = cast("Change[RateOf, Rate]", held_one.order).wanted.jobs_per_second if held_one is not None else None
            rate = (before or min(numbers.drain * (queue.arrivals_usual or 1.0), queue.completions_per_second or 1.0)) / 2
            verbs.note(f"the {full[0]} is {full[1]:.0%} full: {queue.name} is drained at half of the rate", "finding")
            order = Rates.order(mine, Rate(jobs_per_second=round(rate, 4)))
            await verbs.impose(DRAINED, order, facts=(f"{full[0]} {full[1]:.0%} full",), onto=held_one)

    async def full_rate(self) -> None:
        """What was drained slowly has drained: it is done as it comes again, before anything else is given back."""
        for imposed in self._verbs.in_force(DRAINED):
            if not imposed.assumed:
                await self._verbs.lift(imposed, None)

    # -- what is shown ------------------------------------------------------------------------------------------------------------

    def _stands(self, found: Found, standing: Standing, why: str = "") -> None:
        known = self._suspects.get(found.name)
        if standing is Standing.SUSPECTED and known is not None and known.standing is not Standing.SUSPECTED:
            return
        score = 0.4 if found.cause is Cause.UNKNOWN else 0.8
        self._suspects[found.name] = Suspect(what=found.name, score=score, evidence=found.evidence, standing=standing, why=why)
        self._verbs.suspect(tuple(self._suspects.values()))


def _drain(seen: Seen, within: timedelta) -> bool:
    """Whether everything that is ill is empty within so long, at these rates. Where nobody can say, it is no reason to do more."""
    return all((one.drains_in or 0.0) <= within.total_seconds() for one in seen.ill)
