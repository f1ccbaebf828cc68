"""What became of each suspected cause: it is crossed out only by proof, and is otherwise kept with what remains to be done (spec §9.1)."""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from workflows.engine.changes import ChangeResult
from workflows.playbooks.production_outage.diagnosis import Cause, Diagnosis, Hypothesis
from workflows.status import Standing, Suspect

Key = tuple[Cause, str]
WORTH_TELLING = 0.1  # a score below is what everything has that was changed in a day


@dataclass(frozen=True)
class Remedy:
    """What was done about a suspect. `begun`: something was, by us or by people, so that it may help. `applied`: all of it, read back."""

    begun: bool = False
    applied: bool = False
    why: str = "nothing was done about it"  # why it was not applied
    remains: str = ""  # what can still be done about it
    moot: bool = False  # the symptom ended before anybody had answered


def remedy_of(*results: ChangeResult) -> Remedy:
    """What these changes amount to. Assumed (a plan, or shadow mode) is not applied."""
    done = [bool(result.effect and not result.effect.assumed) for result in results]
    why = next((told(result) for result, applied in zip(results, done, strict=True) if not applied), "")
    moot = any(result.withdrawn for result in results)
    return Remedy(any(done), all(done), why, "" if all(done) else f"{why}: it can still be done, by a person or by `incident do`", moot)


def told(result: ChangeResult) -> str:
    if result.effect:
        return "only noted, not done"
    if result.withdrawn:
        return "not needed any more"
    return "declined" if result.declined else "nobody answered" if result.unanswered else "skipped by a person"


@dataclass(frozen=True)
class Verdict:
    standing: Standing
    why: str
    remains: str = ""


class Suspects:
    """The verdicts of one incident. What has one is not proposed again."""

    def __init__(self) -> None:
        self._verdicts: dict[Key, Verdict] = {}
        self._seen: dict[Key, Hypothesis] = {}  # with its newest evidence

    def judged(self) -> set[Key]:
        """The causes that have a verdict."""
        return set(self._verdicts)

    def __contains__(self, key: object) -> bool:
        return key in self._verdicts

    def judge(self, found: Diagnosis, remedy: Remedy, *, blind: bool = False) -> str:
        """The verdict on a cause after its remedy did not end the symptom, as the timeline has it."""
        what = named(found.cause, found.which)
        if remedy.applied and not blind:
            verdict = Verdict(Standing.RULED_OUT, "its remedy was applied and did not help")
        elif remedy.begun:
            why = "nobody can see whether its remedy helped" if blind else remedy.why
            verdict = Verdict(Standing.UNPROVEN, why, remedy.remains)
        else:
            verdict = Verdict(Standing.NOT_POSSIBLE, remedy.why, remedy.remains)
        self._verdicts[found.cause, found.which] = verdict
        if verdict.standing is Standing.RULED_OUT:
            return f"ruled out: {what}: {verdict.why}"
        return f"still suspected: {what} ({verdict.standing}: {verdict.why})" + (f"; {verdict.remains}" if verdict.remains else "")

    def reopen(self, key: Key) -> None:
        """What was done about it is not in force any more: it may be proposed again."""
        self._verdicts.pop(key, None)

    def kept(self) -> str:
        """Every suspect that was not crossed out, for whoever goes on by hand; empty when there is none."""
        found = [(key, v) for key, v in self._verdicts.items() if v.standing is not Standing.RULED_OUT and key[0] is not Cause.UNKNOWN]
        return "; ".join(f"{named(*key)} ({v.why})" for key, v in found)

    def shown(self, found: Diagnosis, acting: Container[Key] = ()) -> tuple[Suspect, ...]:
        """The cause that is acted on now and its rivals, the likeliest first; then the earlier ones that have a verdict, with their last evidence.

        `acting`: others that are still acted on.
        """
        now = {(h.cause, h.which): h for h in (found.hypothesis, *found.others) if h is not None}
        self._seen |= now
        acted_on = {key for key in self._seen if key in acting} | {(found.cause, found.which)}
        return tuple(self._suspects(now, acted_on, {key: h for key, h in self._seen.items() if key in self._verdicts and key not in now}))

    def _suspects(self, now: dict[Key, Hypothesis], acted_on: set[Key], earlier: dict[Key, Hypothesis]) -> Iterator[Suspect]:
        for key, one in {**now, **earlier}.items():
            verdict = self._verdicts.get(key) or Verdict(Standing.ACTED_ON if key in acted_on else Standing.SUSPECTED, "")
            if verdict.standing is Standing.SUSPECTED and one.score < WORTH_TELLING:
                continue
            yield Suspect(
                what=named(*key), score=one.score, evidence=tuple(one.reasons), standing=verdict.standing, why=verdict.why,
                remains=verdict.remains,
            )  # fmt: skip


def named(cause: Cause, which: str) -> str:
    return f"{cause.value.lower()} {which}".rstrip()
