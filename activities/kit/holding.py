"""Who holds what outside, over all incidents: the rules (spec §2.9 INV-12, §11). Where it is kept is `activities/ledger/holders.py`.

A *thing* is what one write sets: a flag, a limit, the mode of one tenant. Each imposition of each incident is one `Hold` of it. What is in force
is what serves the latest need of every incident that holds it; when the last one lets go, it is put back as it was before the first.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.kit.words.code_names import OTHERS_READ, to_others, under_code_name
from activities.values import Concern, Value

MOVES_WITHIN = timedelta(seconds=10)  # real time in which a write that was begun has landed, or is lost for good
AGAIN = timedelta(seconds=2)
NOT_KNOWN = "who else holds it is not known: the record does not answer"
Json = dict[str, JsonValue]


class Thing(NamedTuple):
    """`verb`: the wire name of the verb that changes it."""

    verb: str
    target: str


class Hold(Value):
    """What one incident needs of a thing. `before`: as it was before anybody held it; `key`: of the call that imposed it."""

    incident: str
    key: str
    need: Json
    before: Json = {}
    says: str  # the need as people read it
    concern: Concern = Concern.AVAILABILITY
    since: datetime
    moving_at: datetime | None = None  # its holder is writing: whoever wants to rely on what is in force waits until that is over
    yields_to: str = ""  # a person decided that another incident goes first, as long as that one holds it

    def in_words(self) -> str:
        """As people of another incident read it."""
        if under_code_name(self.incident):
            return OTHERS_READ
        return f"{self.incident} ({self.concern}) since {self.since:%H:%M:%S} UTC: {self.says}"


class Contender(Value):
    """An incident that needs a thing otherwise, as a workflow is told."""

    incident: str
    concern: Concern
    needs: str


Held = Mapping[Thing, tuple[Hold, ...]]
Agree = Callable[[Json], bool]
Rule = Callable[[tuple[Hold, ...]], tuple[Hold, ...]]


class Calling(Protocol):
    """What is needed of a call (`activities/action.py`)."""

    @property
    def incident_id(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def concern(self) -> Concern: ...


class Contended(ApplicationError):
    """Other incidents hold it, and no value serves them and us: nothing was written, and a person decides."""

    def __init__(self, holds: Sequence[Hold]) -> None:
        told = [Contender(incident=one.incident, concern=one.concern, needs=one.in_words()).model_dump(mode="json") for one in holds]
        said = "; ".join(one.in_words() for one in holds)
        super().__init__(f"held by another incident, which needs it otherwise: {said}", *told, type="Contended", non_retryable=True)


class HoldersAway(Exception):
    """It cannot be read or written now who holds what."""


class Waiting(ApplicationError):
    """Another incident is just changing it; try again."""

    def __init__(self, why: str) -> None:
        super().__init__(why, type="NotYet", next_retry_delay=AGAIN)


class Holders(Protocol):
    """Where it is kept who holds what. Both raise `HoldersAway`."""

    async def look(self, things: Sequence[Thing]) -> Held:
        """Who holds these, oldest first."""

    async def settle(self, things: Sequence[Thing], rule: Callable[[Held], Held]) -> Held:
        """Replace their holds by what the rule makes of them, in one transaction. When it raises, nothing has changed."""


class Alone:
    """Nobody else holds anything: where there is no record, in a test that drives a verb alone."""

    async def look(self, things: Sequence[Thing]) -> Held:
        return {thing: () for thing in things}

    async def settle(self, things: Sequence[Thing], rule: Callable[[Held], Held]) -> Held:
        return rule(await self.look(things))


# ---- rules, for one thing ----


def needs(holds: Sequence[Hold], without: str = "") -> list[Hold]:
    """What counts: the latest need of each incident, but of none that has to yield. `without`: as if that one held nothing."""
    latest = {one.incident: one for one in holds if one.incident != without}
    return [one for one in latest.values() if one.yields_to not in latest]


def taken(holds: Sequence[Hold], mine: Hold, agree: Agree, now: datetime, over: Sequence[str] = ()) -> tuple[Hold, ...]:
    """With one more hold; the same key is the same hold. `agree`: with this need of another; `over`: incidents that a person decided must yield.

    Raises `Contended`; `Waiting` while another incident is just changing it.
    """
    others = [one for one in needs(holds, without=mine.incident) if one.yields_to != mine.incident]
    against = [one for one in others if not agree(one.need)]
    if unasked := [one for one in against if one.incident not in over]:
        raise Contended(unasked)
    for one in others:
        if one.moving_at and now - one.moving_at < MOVES_WITHIN:
            raise Waiting(f"{to_others(one.incident)} is just changing it; we look again")
    yields = {one.incident for one in against}
    kept = [one.model_copy(update={"yields_to": mine.incident}) if one.incident in yields else one for one in holds if not _is(one, mine)]
    known = next((one for one in holds if _is(one, mine)), mine)
    before = holds[0].before if holds else mine.before
    return (*kept, mine.model_copy(update={"before": before, "since": known.since, "yields_to": known.yields_to}))


def dropped(holds: Sequence[Hold], incident: str, key: str = "") -> tuple[Hold, ...]:
    """Without the hold of that key, or without any of that incident."""
    return freed([one for one in holds if one.incident != incident or (key and one.key != key)])


def own(holds: Sequence[Hold], incident: str, need: Json) -> Hold | None:
    """The hold of an incident that a lift is about: the latest with this need, or the latest."""
    mine = [one for one in holds if one.incident == incident]
    return next((one for one in reversed(mine) if one.need == need), mine[-1] if mine else None)


def freed(holds: Sequence[Hold]) -> tuple[Hold, ...]:
    """Nobody yields to an incident that does not hold it any more."""
    there = {one.incident for one in holds}
    return tuple(one if one.yields_to in there else one.model_copy(update={"yields_to": ""}) for one in holds)


def _is(one: Hold, other: Hold) -> bool:
    return (one.incident, one.key) == (other.incident, other.key)


# ---- for verbs that are no settings ----


class Claim(Value):
    """What an order that is no setting needs of its target; None: it lets go of it."""

    need: Json | None
    says: str


class Claiming(Protocol):
    @property
    def over(self) -> tuple[str, ...]: ...
    def claim(self) -> Claim: ...
    def agrees(self, need: Json) -> bool:
        """Whether what another incident needs is served when this is done."""


@asynccontextmanager
async def claimed(holders: Holders, thing: Thing, call: Calling, order: Claiming) -> AsyncIterator[str]:
    """Around a change: taken before it, let go after one that ends it. An incident has one hold of such a thing, its latest.

    Gives who still needs it, where we let go of it: then nothing is to be written. Raises `Contended` before anything is written. Where the
    record does not answer, the change goes on (ADR 25).
    """
    claim, whose, still = order.claim(), call.incident_id, list[Hold]()
    mine = Hold(incident=whose, key=call.key, need=claim.need or {}, says=claim.says, concern=call.concern, since=call.at)

    def rule(holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
        if claim.need is None and order.over == ():
            others = [one for one in needs(holds, without=whose) if one.yields_to != whose]
            still[:] = [one for one in others if one.need and not order.agrees(one.need)]
            if still:
                return dropped(holds, whose)
        return taken(holds, mine, lambda need: not need or order.agrees(need), datetime.now(UTC), order.over)

    known = await _settled(holders, thing, rule)
    if not known or still:
        yield "; ".join(one.in_words() for one in still)
        return
    try:
        yield ""
    except ApplicationError as no:
        if no.type == "Refused":
            await _settled(holders, thing, lambda holds: dropped(holds, whose, mine.key))
        raise
    keep = mine.key if claim.need is not None else ""
    await _settled(holders, thing, lambda holds: freed([one for one in holds if one.incident != whose or one.key == keep]))


async def _settled(holders: Holders, thing: Thing, rule: Rule) -> bool:
    """False: the record is away. What is done outside must not fail by that."""
    try:
        await holders.settle([thing], lambda held: {thing: rule(held[thing])})
    except HoldersAway:
        return False
    return True
