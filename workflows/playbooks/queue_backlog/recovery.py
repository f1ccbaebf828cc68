"""Back to normal: every job is counted, what is parked is kept in somebody's name, and owners hear what expired (spec §9.8, Recovery)."""

from typing import cast

from activities.action import Role
from activities.kit.setting import Change
from activities.queues.parking import PARKED, Parked, ParkingOf
from activities.queues.queues import CensusOf, Queues
from activities.queues.seen import Census
from workflows.engine.verbs import Verbs
from workflows.incident import QuestionDraft
from workflows.playbooks.queue_backlog.backlog import Backlog
from workflows.playbooks.queue_backlog.causes import Seen


class Recovery:
    def __init__(self, verbs: Verbs, backlog: Backlog) -> None:
        self._verbs, self._backlog = verbs, backlog
        self._told: set[str] = set()

    async def keep_parked(self, seen: Seen) -> None:
        """What is parked is never put back by automation: who owns it says whether it may be done at all, or once more."""
        verbs = self._verbs
        for imposed in verbs.in_force(PARKED):
            if verbs.kept_by(imposed) or imposed.assumed:
                continue
            order = cast("Change[ParkingOf, Parked]", imposed.order)
            queue = seen.work.of(order.of.queue)
            again = "nobody knows whether they may be done twice" if queue is None else next(iter(self._backlog.relief.replay(queue)))
            decision = await verbs.confirm(
                QuestionDraft(
                    asks=f"Who keeps what is parked of {order.of.queue} as {order.of.bin}? Approve to keep it in your name: {order.wanted}",
                    roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), facts=(again,), effect="it stays parked after the incident, in your name",
                    inverse=order.inverse(),
                )
            )  # fmt: skip
            verbs.keep(imposed, decision.by)
            owner = order.wanted.owner or (queue.owner if queue is not None else "its owner")
            verbs.task(f"Decide with {owner} what becomes of what is parked of {order.of.queue}, job by job ({again})", Role.OPS_LEAD)

    async def count(self) -> Census | None:
        """Every job by its id: none is lost, none is done twice. What does not balance is named."""
        verbs = self._verbs
        census = await verbs.look(Queues.census, CensusOf(broker=self._backlog.relief.broker))
        if census is None or census.balanced is None:
            verbs.task("Count arrivals and completions by message id in the jobs' own records: the broker cannot", Role.OPS_LEAD)
            return census
        verbs.note(f"census: {census.summary}; {'it balances' if census.balanced else 'it does not balance'}", "census")
        if census.doubled and "doubled" not in self._told:
            named = ", ".join(census.doubled[:5])
            verbs.task(
                f"Look at what was done twice, or delivered twice: {named}; tell the owner where it may not be done twice", Role.OPS_LEAD
            )
        if census.lost and "lost" not in self._told:
            verbs.task(f"Find the jobs that nobody can account for: {', '.join(census.lost[:5])}", Role.OPS_LEAD)
        if census.expired and "expired" not in self._told:
            verbs.task(f"Tell the owners that {census.expired} jobs expired while they waited", Role.OPS_LEAD)
        self._told |= {name for name, found in (("doubled", census.doubled), ("lost", census.lost), ("expired", census.expired)) if found}
        return census
