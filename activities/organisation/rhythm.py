"""Who hears what and how often, how long we try, and the deadlines of the first minutes: the spec's numbers, as settings."""

from datetime import timedelta
from typing import Any

from pydantic import model_validator

from activities.values import Patience, Risk, Value


def minutes(n: float) -> timedelta:
    """A duration, as the seed writes them."""
    return timedelta(minutes=n)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


class Tries(Value):
    """The numbers behind a `Patience`: how long one try may take, how many there are, and the pauses between. Never scaled by the pace."""

    each_try: timedelta  # how long one try may take
    tries: int  # 0: without end
    first_pause: timedelta = seconds(0.2)  # also what passes between noticing a dead worker and trying elsewhere
    longest_pause: timedelta = seconds(15)
    heartbeat: timedelta = seconds(3)  # how soon a dead worker is noticed: recovery time is this and the pause


def _unless_never(said: Any) -> Any:
    if isinstance(said, list | tuple):
        return [_unless_never(one) for one in said]
    return None if said == "never" else said


class Rhythm(Value):
    """Who hears what, how often, at one severity (spec §6). `None`, in the file `"never"`: not at all."""

    @model_validator(mode="before")
    @classmethod
    def _never(cls, given: Any) -> Any:
        return {name: _unless_never(said) for name, said in given.items()} if isinstance(given, dict) else given

    first_public: timedelta | None  # by when the public reads the first word; never: not at all
    public: timedelta | None  # and how far apart updates are
    room: timedelta | None  # None: on change only
    reclassify: timedelta  # how often the severity is looked at again
    ladder: tuple[timedelta, ...]  # how long each rung waits: primary, deputy, duty executive (spec §2.5)
    acknowledge: timedelta  # how long a page waits before the next person is woken
    holding: timedelta | None  # when a first post nobody approved is replaced by the holding statement
    told: timedelta | None = None  # by when support and executives are told at all (spec §5, row 11)
    brief: timedelta | None = None  # the executives' first brief after that
    briefs: timedelta | None = None  # and how far apart the further ones are
    tenants: tuple[timedelta | None, timedelta | None] = (None, None)  # affected tenants, told directly: of the first tier, the others
    widened: timedelta | None = None  # how far apart public updates may be once the cause is known and stable


RHYTHMS = {
    1: Rhythm(first_public=minutes(10), public=minutes(30), room=minutes(15), reclassify=minutes(10),
              ladder=(minutes(5), minutes(5), minutes(5)), acknowledge=minutes(5), holding=minutes(15),
              told=minutes(10), brief=minutes(30), briefs=minutes(60), tenants=(minutes(30), minutes(60)), widened=minutes(60)),
    2: Rhythm(first_public=minutes(15), public=minutes(30), room=minutes(30), reclassify=minutes(10),
              ladder=(minutes(10), minutes(10), minutes(15)), acknowledge=minutes(5), holding=minutes(25),
              told=minutes(15), brief=minutes(60), briefs=minutes(60), tenants=(minutes(60), None), widened=minutes(60)),
    3: Rhythm(first_public=minutes(60), public=minutes(120), room=minutes(60), reclassify=minutes(30),
              ladder=(minutes(30), minutes(30), minutes(60)), acknowledge=minutes(15), holding=None,
              brief=timedelta(days=1), briefs=timedelta(days=1), tenants=(timedelta(days=1), None),
              widened=minutes(240)),
    4: Rhythm(first_public=None, public=None, room=None, reclassify=minutes(60),
              ladder=(minutes(60), minutes(60), minutes(60)), acknowledge=minutes(60), holding=None),
    5: Rhythm(first_public=None, public=None, room=None, reclassify=minutes(120),
              ladder=(minutes(60), minutes(60), minutes(60)), acknowledge=minutes(60), holding=None),
}  # fmt: skip
APPROVAL_VALID = {Risk.C1: minutes(15), Risk.C2: minutes(15), Risk.C3: minutes(30)}
PATIENCE = {
    Patience.READ: Tries(each_try=seconds(8), tries=7, longest_pause=seconds(5)),
    Patience.CHANGE: Tries(each_try=seconds(10), tries=7, longest_pause=seconds(5)),
    Patience.ROLLOUT: Tries(each_try=seconds(100), tries=7, longest_pause=seconds(5)),
    Patience.WATCH: Tries(each_try=timedelta(hours=2), tries=9),
    Patience.RECORD: Tries(each_try=seconds(8), tries=0, longest_pause=seconds(10)),
}


# Minutes after declaration at SEV-1, SEV-2, SEV-3 (spec §5). A severity that is left out has no deadline: it is people's to judge.
def _within(*at: float) -> dict[int, timedelta]:
    return {severity: minutes(each) for severity, each in enumerate(at, start=1)}


class FirstMinutesDeadlines(Value):
    """By when each item of the first-15-minutes checklist is done, by severity (spec §5; the items: `workflows/first_minutes/checklist.py`).

    Policy time after the declaration. A severity that is not named has no deadline.
    """

    declare: dict[int, timedelta] = _within(1, 1, 5)
    commander: dict[int, timedelta] = _within(5, 5, 15)
    scribe: dict[int, timedelta] = _within(5, 10)
    cadence: dict[int, timedelta] = _within(2, 2, 5)
    freeze: dict[int, timedelta] = _within(2, 2)
    telemetry: dict[int, timedelta] = _within(5, 5, 15)
    evidence: dict[int, timedelta] = _within(5, 5, 10)
    blast_radius: dict[int, timedelta] = _within(10, 10, 30)
    playbook: dict[int, timedelta] = _within(10, 10, 30)
    war_room: dict[int, timedelta] = _within(3, 5, 15)
    leads: dict[int, timedelta] = _within(10, 15)
    status_page: dict[int, timedelta] = _within(5, 10)
    published: dict[int, timedelta] = _within(10, 15)
    told: dict[int, timedelta] = _within(10, 15)
    legal_clocks: dict[int, timedelta] = _within(10, 10, 30)
    checkpoint: dict[int, timedelta] = _within(15, 15, 30)

    def due(self, key: str, severity: int) -> timedelta | None:
        """The deadline of one item, policy time after the declaration; None when it has none at that severity."""
        deadlines: dict[int, timedelta] = getattr(self, key)
        return deadlines.get(severity)
