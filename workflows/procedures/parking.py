"""A whole queue, parked instead of purged: `incident do INCIDENT park-queue QUEUE` (seed §1.4, *clears pending tasks*), and its census.

What waits is moved to a place beside the queue, under its ids, and `incident undo` moves it back. A purge cannot be undone: it stays a person's.
"""

from collections.abc import Mapping

from activities.action import Grant, Refused, Role
from activities.queues.control import broker_of, one_queue
from activities.queues.parking import PARKED, Parked, ParkingOf, Parkings
from activities.queues.queues import CensusOf, Queues
from workflows.engine.verbs import Verbs
from workflows.errors import NotAccepted


def queue_of(fields: Mapping[str, str]) -> str:
    """Which queue a person means. Raises `NotAccepted` where none is named, for a pattern, and for a field that there is not."""
    if wrong := next((key for key in fields if key != "queue"), None):
        raise NotAccepted(f"park-queue has no field {wrong}; it has queue")
    if "queue" not in fields:
        raise NotAccepted("say which queue: park-queue QUEUE")
    try:
        return one_queue(str(fields["queue"]))
    except Refused as no:
        raise NotAccepted(no.message) from None


async def count_jobs(verbs: Verbs, when: str) -> None:
    """Where every job is, by its id: noted, so that before and after can be compared."""
    broker = broker_of(verbs.policy.systems)
    census = await verbs.look(Queues.census, CensusOf(broker=broker))
    verbs.note(f"{when}: {census.summary if census is not None else 'nobody can count the jobs'}", "census")


async def park_queue(verbs: Verbs, queue: str, why: str, by: str) -> None:
    """Counted, parked, and counted again. Whoever may undo it is told how, as for every other measure."""
    broker = broker_of(verbs.policy.systems)
    of = ParkingOf(queue=queue, bin="whole", broker=broker)
    if broker == "rabbitmq":
        verbs.task(
            f"Move what waits in {queue} into {queue}.parked.whole: RabbitMQ is only looked at", Role.OPS_LEAD, of.write_by_hand(ALL)
        )
        return
    await count_jobs(verbs, f"before {queue} is parked")
    order = Parkings.order(of, ALL, why=why)
    under: Grant | None = verbs.ordered(Parkings.change, order, by)
    done = await verbs.impose(PARKED, order, under=under)
    if not done:
        return
    await count_jobs(verbs, f"after {queue} was parked")
    for imposed in (one for one in verbs.in_force(PARKED) if one.order.target() == order.target()):
        verbs.note(f"to put {queue} back: {verbs.undo_typed(imposed)}")


ALL = Parked(everything=True)
