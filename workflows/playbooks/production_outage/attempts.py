"""One suspected cause after another is acted on, the likeliest first, and judged by the metrics (spec §9.1).

While people are asked about one, nothing else stands still: the next likeliest is acted on beside it, and what is not essential is shed.
"""

from asyncio import CancelledError, Task
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from activities.metrics.telemetry import ServiceHealth, Telemetry
from workflows.engine.changes import ChangeResult
from workflows.engine.measures import Imposed
from workflows.engine.verbs import Verbs
from workflows.people.background import ended, stopped
from workflows.playbooks.production_outage.diagnosis import Diagnosis
from workflows.playbooks.production_outage.suspects import Key, Remedy, Suspects, named, remedy_of


@dataclass
class Attempt:
    """A suspected cause that is acted on, and what has become of its remedy.

    `before`: what customers met when it began. `beside`: others waited for people then.
    """

    found: Diagnosis
    before: ServiceHealth
    beside: bool = False
    remedy: Remedy = field(default_factory=Remedy)
    imposed: list[Imposed] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.found.cause, self.found.which

    @property
    def name(self) -> str:
        return named(*self.key)

    def tried(self, *results: ChangeResult) -> None:
        """What became of the remedy: a cause is crossed out only when all of it was applied."""
        self.remedy = remedy_of(*results)
        self.also(*results)

    def also(self, *results: ChangeResult) -> None:
        """What was done beside it, and is taken back with it when it becomes clearly worse."""
        self.imposed += [result.imposed for result in results if result.effect and not result.effect.assumed and result.imposed]


Act = Callable[[Attempt], Awaitable[None]]
Find = Callable[[Suspects, set[Key]], Awaitable[Diagnosis | None]]
Acting = dict[str, tuple[Attempt, "Task[bool]"]]


class Attempts:
    """The attempts of one incident. `find`: the likeliest cause that is in neither of these; None where nobody is affected any more."""

    def __init__(self, verbs: Verbs, find: Find) -> None:
        self._verbs, self._find, self._numbers = verbs, find, verbs.policy.production_outage
        self._suspects = Suspects()
        self._measures: dict[Key, list[Imposed]] = {}  # what was imposed against a cause that has a verdict

    def begin_round(self) -> None:
        """What was found out about a cause stays so, unless what was imposed against it has been lifted since."""
        for cause, measures in self._measures.items():
            if not all(map(self._verbs.still_in_force, measures)):
                self._suspects.reopen(cause)

    async def each(self, act: Act) -> None:
        """Until the symptom has ended or got much better. What waits for people does not hold up the others. Raises `HandOver`."""
        acting: Acting = {}
        try:
            while not any(task.done() and task.result() for _, task in acting.values()):
                acting = {name: one for name, one in acting.items() if not one[1].done()}
                if not await self._begin_next(act, acting):
                    break
            # What was begun comes to its end; what need not be answered any more is withdrawn.
            await ended(*_tasks(acting).values())
            for task in _tasks(acting).values():
                task.result()  # what broke it is not lost
        except (Exception, CancelledError):
            await stopped(*_tasks(acting).values())
            raise

    async def _begin_next(self, act: Act, acting: Acting) -> bool:
        """Act on the next cause beside those that wait for people, and go on when nothing but people is waited for. False: nobody is affected."""
        verbs, keys = self._verbs, {attempt.key for attempt, _ in acting.values()}
        found = await self._find(self._suspects, keys)
        if found is None:
            return False
        verbs.suspect(self._suspects.shown(found, keys))
        key = found.cause, found.which
        if key in self._suspects or key in keys:
            if not acting:
                self._nothing_left()
            await verbs.until_free(_tasks(acting))
            return True
        verbs.note(found.in_words(), "diagnosis", cause=found.cause.value, which=found.which, confidence=found.confidence)
        for missing in found.missing:
            verbs.note(missing, "unknown")
        if acting:
            verbs.note(f"nobody has answered about {' and '.join(acting)}; meanwhile {named(*key)} is acted on")
        attempt = Attempt(found, await self._impact(), beside=bool(acting))
        acting[attempt.name] = attempt, verbs.branch(attempt.name, self._try(act, attempt))
        await verbs.until_free(_tasks(acting), self._numbers.others_after)
        return True

    def _nothing_left(self) -> None:
        kept = self._suspects.kept()
        still = f"; still suspected: {kept}" if kept else ""
        self._verbs.hand_over(f"nothing that we could do has helped, and the cause is still unknown{still}")

    async def _try(self, act: Act, attempt: Attempt) -> bool:
        """Act on a cause, and judge it. True: nothing more is to be tried."""
        await act(attempt)
        if await self._helped(attempt):
            return True
        self._verbs.note(self._suspects.judge(attempt.found, attempt.remedy))
        self._measures[attempt.key] = attempt.imposed
        return False

    async def _helped(self, attempt: Attempt) -> bool:
        """Whether the symptom has ended or got much better. Where nothing was done there is nothing to wait for."""
        verbs = self._verbs
        if verbs.rehearsing:
            return True
        if verbs.shadow and not attempt.remedy.applied:
            verbs.note("not judged whether that helps: it was only noted, and from here on people repair it (shadow mode)")
            return True
        return attempt.remedy.moot or (attempt.remedy.begun and await self._improved(attempt))

    async def _improved(self, attempt: Attempt) -> bool:
        """Whether the symptom has ended or got much better, within the time that policy gives it. Without data there is no claim."""
        verbs, policy, before = self._verbs, self._verbs.policy, attempt.before
        deadline = verbs.clock() + policy.paced(self._numbers.improvement_within)
        while True:
            await verbs.rest(policy.mitigated_window, "whether that helped")
            now = await self._impact()
            if verbs.impact.judge(now).ended or verbs.impact.better(before, now):
                verbs.note(f"better: {verbs.impact.compared(before, now)}")
                return True
            if verbs.impact.worse(before, now):
                verbs.note(f"clearly worse: {verbs.impact.compared(before, now)}")
                await verbs.take_back([one for one in reversed(attempt.imposed) if verbs.still_in_force(one)], "it became clearly worse")
                return False
            if verbs.clock() < deadline:
                continue
            if now.blind:
                verbs.note("nobody can see whether that helped: nothing is ruled out on missing data")
                verbs.note(self._suspects.judge(attempt.found, attempt.remedy, blind=True))
                return True  # this does not end the mitigation block: it waits for the metrics, or for a person
            verbs.note(f"no better: {verbs.impact.compared(before, now)}")
            return False

    async def _impact(self) -> ServiceHealth:
        return await self._verbs.read(Telemetry.impact, self._verbs.impact.surface())


def _tasks(acting: Acting) -> dict[str, "Task[bool]"]:
    return {name: task for name, (_, task) in acting.items()}
