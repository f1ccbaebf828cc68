"""What every setting does when two incidents hold it, whoever ends first: further cells of the contract table."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from activities.kit.holding import Contended
from activities.ledger.database import Database
from activities.ledger.holders import RecordedHolders, holds
from tests.activities.kit.rows.practised import Subject
from tests.activities.kit.stage import INCIDENT, tried

OTHER = "inc-20261123-other"


def recorded() -> RecordedHolders:
    """A record with nobody in it."""
    database = Database(f"sqlite:///{Path(mkdtemp()) / 'record.db'}")
    with database.writing() as connection:
        holds.create(connection)
    return RecordedHolders(database)


class Two:
    """Two incidents and one setting."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        subject.system.holders = recorded()

    async def read(self, incident: str) -> Any:
        return await self.subject.kind.read(self.subject.system, self.subject.order.look(), self.subject.call(incident_id=incident))

    async def imposes(self, incident: str, wanted: Any, over: tuple[str, ...] = ()) -> tuple[Any, Any]:
        """The order, which carries what it was, and its effect."""
        order = self.subject.order.model_copy(update={"wanted": wanted, "over": over}).given(await self.read(incident))
        call = self.subject.call(incident_id=incident, key=f"{incident}/impose")
        return order, (await tried(self.subject.kind.change, self.subject.system, order, call))[0]

    async def lifts(self, incident: str, order: Any) -> Any:
        call = self.subject.call(incident_id=incident, key=f"{incident}/lift")
        return (await tried(self.subject.kind.restore, self.subject.system, order.undo(), call))[0]

    def held(self) -> int:
        assert isinstance(self.subject.system.holders, RecordedHolders)
        return sum(map(len, self.subject.system.holders.read().values()))


async def the_last_one_puts_it_back(subject: Subject, way: str) -> None:
    """The second finds it as it wants it and joins. Whoever ends first lifts nothing; the last puts back what was before the first."""
    two, before, wanted = Two(subject), subject.order._before(), subject.order.wanted
    orders = {INCIDENT: (await two.imposes(INCIDENT, wanted))[0]}
    written = len(subject.effects())
    orders[OTHER], joined = await two.imposes(OTHER, wanted)
    assert joined.adopted and INCIDENT in joined.proven_by and len(subject.effects()) == written
    assert orders[OTHER].undo().goal.same(before), "its undo is not back to what it found, which was the first one's"
    first, last = (INCIDENT, OTHER) if way == "there" else (OTHER, INCIDENT)
    effect = await two.lifts(first, orders[first])
    assert last in effect.summary and wanted.same(await subject.now()) and len(subject.effects()) == written, effect.summary
    again = await two.lifts(first, orders[first])
    assert again.adopted and wanted.same(await subject.now()), "the same lift once more lifted what the other needs"
    await two.lifts(last, orders[last])
    assert before.same(await subject.now()) and two.held() == 0


async def two_needs_are_served_or_a_person_decides(subject: Subject, way: str) -> None:
    """Another value: one that serves both, if there is any; otherwise nothing is written, and on a person's word the first yields."""
    if subject.theirs is None:
        return
    two, before, wanted, theirs = Two(subject), subject.order._before(), subject.order.wanted, subject.theirs
    orders = {INCIDENT: (await two.imposes(INCIDENT, wanted))[0]}
    both, written = wanted.both(theirs), len(subject.effects())
    if both is None:
        assert await contended(two, theirs) and len(subject.effects()) == written and two.held() == 1
        both = theirs
        orders[OTHER], _ = await two.imposes(OTHER, theirs, over=(INCIDENT,))
    else:
        orders[OTHER], _ = await two.imposes(OTHER, theirs)
    assert both.same(await subject.now())
    first, last = (INCIDENT, OTHER) if way == "there" else (OTHER, INCIDENT)
    await two.lifts(first, orders[first])
    assert (theirs if last == OTHER else wanted).same(await subject.now()), "it is not what the one that is left needs"
    await two.lifts(last, orders[last])
    assert before.same(await subject.now()) and two.held() == 0


async def contended(two: Two, theirs: Any) -> bool:
    try:
        await two.imposes(OTHER, theirs)
    except Contended as no:
        return INCIDENT in no.message
    return False


CELLS: dict[str, Callable[[Subject, str], Awaitable[None]]] = {
    "two incidents, one need": the_last_one_puts_it_back,
    "two incidents, two needs": two_needs_are_served_or_a_person_decides,
}
