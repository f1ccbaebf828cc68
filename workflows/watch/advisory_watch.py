"""The watch over one fix (spec §9.12, A.12 R1): looked at daily, for 30 days, by a workflow that outlives its incident.

A closed incident is not opened again. A fix that is superseded opens a linked one, which takes over what the first one has blocked; the fix of
that one has a watch of its own, so that this one ends. An operator ends it by cancelling it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.action import Action, Role
from activities.kit.words.code_names import code_name
from activities.organisation.organisation import Organisation, ReadAll
from activities.watches.orders import BeginWatch, LookAgain, OpenLinked, StillFixed
from activities.watches.watches import Watches
from workflows.engine.invoker import Invoker
from workflows.engine.state import IncidentState
from workflows.errors import RetriesExhausted
from workflows.incident import Card, Incident, Severity, Shown, incident_id
from workflows.waiting import waited

CARD = Card(
    section="2.12", title="Watch over an advisory", short="watch", floor=Severity.SEV3, lead=(Role.SECURITY_LEAD,), triggers=(), sure=True
)
NAMESAKES = 20  # ids that a linked incident may have on one day
PLAYBOOK = "supply_chain_cve"


class WatchState(Shown):
    """A watch as it is now. `blind_since`: since when nothing could be read; `opened`: the linked incident."""

    watches: str
    until: datetime
    looks: int = 0
    last: str = ""
    last_at: datetime | None = None
    blind_since: datetime | None = None
    withdrawn: bool = False
    opened: str = ""


class Watched(IncidentState):
    """It is nobody's incident: nothing of it is only said."""

    def assumes(self, action: Action) -> bool:
        return False


@workflow.defn
class AdvisoryWatch:
    @workflow.init
    def __init__(self, *given: Any) -> None:
        self._order = _understood(given)
        account = Watched(workflow.info().workflow_id, "AdvisoryWatch", CARD, workflow.now())
        account.incident = Incident(service=self._order.shipped.service)
        self._account, self._invoker = account, Invoker(account, keys=f"{account.id}-{workflow.now():%Y%m%d%H%M%S}")
        self._state = _seen_before(given) or WatchState(watches=str(self._order.shipped), until=self._order.until)

    @workflow.run
    async def run(self, *given: Any) -> WatchState:
        state, tries = self._state, 0
        try:
            self._account.policy = await self._invoker.quietly(Organisation.policy, ReadAll())
        except RetriesExhausted as out:
            state.last = f"{out.why}; the spec's defaults hold"
        while not state.opened and workflow.now() < state.until:
            found = await self._look()
            if found is not None and found.superseded and await self._open(found.superseded[0]):
                break
            tries += 1
            if (
                tries >= self._account.policy.supply_chain.looks_per_run
            ):  # one that is blind looks hourly: a month of that is too long to replay
                workflow.continue_as_new(args=[self._order, state])
            await waited(lambda: False, min(self._rest(found), state.until - workflow.now()), "the next look at the advisory")
        return state

    @workflow.query(description="What is watched, until when, and what was seen last")
    def state(self, *given: Any) -> WatchState:
        return self._state

    def _rest(self, found: StillFixed | None) -> timedelta:
        """What could not be read is read again sooner than what was."""
        every = self._account.policy.paced(self._order.every)
        return max(every if found is not None else every / 24, timedelta(seconds=1))

    async def _look(self) -> StillFixed | None:
        """None: nobody can say."""
        state, now = self._state, workflow.now()
        try:
            found = await self._invoker.quietly(Watches.look, LookAgain(shipped=self._order.shipped))
        except RetriesExhausted as out:
            state.last, state.blind_since = f"nobody can say: {out.why}", state.blind_since or now
            return None
        state.looks, state.last, state.last_at, state.blind_since = state.looks + 1, found.says, now, None
        state.withdrawn = found.withdrawn
        return found

    async def _open(self, advisory: str) -> bool:
        """A linked incident, under the first id that is free. False: it could not be opened, and is tried at the next look."""
        order, shipped = self._order, self._order.shipped
        key = f"{PLAYBOOK}/{shipped.service}/{advisory}"
        blocked = tuple(dict.fromkeys((*order.blocked, f"{shipped.package}=={shipped.version}")))
        for nth in range(1, NAMESAKES + 1):
            id = incident_id(workflow.now(), code_name(key), "", nth)
            linked = OpenLinked(shipped=shipped, origin=order.incident_id, advisory=advisory, blocked=blocked, id=id, key=key)
            try:
                opened = await self._invoker.act(Watches.open_linked, linked)
            except RetriesExhausted as out:
                self._state.last = f"{advisory} concerns the fix, and no incident could be opened: {out.why}"
                if not out.refused:
                    return False
            else:
                known = str(opened.after["incident"])
                self._state.opened, self._state.last = known, f"{advisory} concerns the fix: {known} is open for it"
                return True
        return False


def _seen_before(given: Sequence[object]) -> WatchState | None:
    """What an earlier run of this watch has seen."""
    return WatchState.model_validate(given[1]) if len(given) > 1 else None


def _understood(given: Sequence[object]) -> BeginWatch:
    """What it was started with. It ends at once when that means nothing: there is nothing to watch."""
    try:
        return BeginWatch.model_validate(given[0])
    except (IndexError, ValidationError) as wrong:
        raise ApplicationError(f"nothing to watch: {wrong}"[:500], non_retryable=True) from None
