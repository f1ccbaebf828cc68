"""The war room: opened beside everything, kept current, backfilled after an outage (seed §1.1, spec §5 row 6).

What is pinned is edited and never posted again: runbooks, dashboards, the on-call rota, the latest status. What people should read now is
said. Both go out together, at most once a minute unless something has to be said.
"""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from temporalio import workflow

from activities.action import Role
from activities.chat.orders import OpenRoom, Pinned, TellRoom
from activities.chat.war_room import WarRoom
from activities.kit.words.code_names import code_name
from activities.kit.words.shell import command
from activities.organisation.people import Person
from activities.paging.orders import NotePage
from activities.paging.pager import Pager
from activities.texts import wording
from workflows.comms.part import Part, Shared
from workflows.engine.state import IncidentState
from workflows.errors import NotSentInShadow, RetriesExhausted
from workflows.status import InForce, imposed_by
from workflows.waiting import waited

LATEST_BACKFILLED = 40  # late messages that are sent after an outage; the timeline has all of them


class RoomMessage(NamedTuple):
    """A message for the room. `late`: it could not be sent in time."""

    at: datetime
    text: str
    late: bool = False


class Room(Part):
    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._channel = ""
        self._pins: dict[str, str] = {}  # `ts` by name
        self._shown: dict[str, str] = {}  # what each pin says, without the time
        self._in: set[str] = set()  # who was let in
        self._unsent: list[RoomMessage] = []
        self._told_at: datetime | None = None
        self._opening = asyncio.Lock()
        self.held = False  # several things change at once: the pins wait until all of them have
        self._down = False
        self._tells = 0
        self._left = False  # nobody of us writes here any more: others may read it

    async def open(self) -> None:
        """Open it and pin what belongs there. Where chat is down the page says so, and where to meet instead. No room where others read."""
        if self._state.chat_read:
            return
        state, name, people, pins = self._state, room_name(self._state), self._people(), self._picture()
        order = OpenRoom(name=name, topic=state.display_name[:250], people=people, pins=pins, private=state.restricted)
        async with self._opening:
            try:
                after = (await self._quietly(WarRoom.open, order)).after
            except NotSentInShadow:
                raise
            except RetriesExhausted as out:
                self._unsent = [line._replace(late=True) for line in self._unsent]
                if not self._down:
                    self._down = True
                    await self._meet_elsewhere(out.why)
                return
        self._channel, self._pins = str(after.get("channel", "")), _texts(after.get("pins"))
        self._shown, self._in, self._down = _still(pins), {person.id for person in people}, False
        state.room = f"#{after.get('name', name)}"
        state.note("room", f"war room {state.room} is open")

    async def _meet_elsewhere(self, why: str) -> None:
        """A note on the page reaches everybody on it also while chat is down. This happens once: a room that is open stays."""
        state, links = self._state, self._shared.words.links
        bridge = " or ".join(filter(None, (links.bridge_number, links.bridge))) or "none is configured: call each other"
        state.note("not sent", f"war room: {why}; it is opened later and backfilled. Meet on the bridge: {bridge}")
        status = command("incident", "status", state.id)
        text = f"Chat is down. Bridge: {bridge}. Commander: {state.commander() or 'nobody yet'}. State: {status}"
        await self._background.attempt("page", self._quietly(Pager.note, NotePage(incident_id=state.id, text=text, nth=1)))

    def say(self, text: str) -> None:
        """Something people in the room should read now. It is kept until there is a room, and not said where others read."""
        if self._state.chat_read and self._left:
            return
        if self._state.chat_read:
            self._left, self._unsent = True, []
        self._unsent.append(RoomMessage(workflow.now(), text, late=self._down))

    def try_again(self) -> None:
        """What could not be sent may be tried once more."""
        if self._channel:
            self._down = False
        elif self._down and not self._opening.locked():
            self._background.run("war room", self.open())

    async def keep(self) -> None:
        """Until the end: post what is new. Pinned texts wait for a moment, so that a burst of changes is posted once."""
        policy = self._state.policy
        while not self._background.ending:
            await workflow.wait_condition(lambda: self._background.ending or self._urgent() or self._news())
            settled = (self._told_at or workflow.now()) + policy.paced(policy.room_settles)
            if not self._background.ending and not self._urgent() and settled > workflow.now() and self._told_at:
                await waited(lambda: self._background.ending or self._urgent(), settled - workflow.now(), "the war room's next status")
            if not self._background.ending:
                await self.tell()

    def _urgent(self) -> bool:
        return bool(self._channel and self._unsent and not self._down)

    def _news(self) -> bool:
        return bool(self._channel and not self._down and not self.held and not self._left and _still(self._picture()) != self._shown)

    async def tell(self) -> None:
        """Say what is unsaid and bring the pins up to date; what does not arrive is kept."""
        if not self._channel:
            return
        lines, self._unsent = self._unsent, []
        pins, people = ({}, ()) if self._left else (self._picture(), self._people())
        still = _still(pins)
        fresh = [name for name in pins if name in self._pins and still[name] != self._shown.get(name)]
        changed = {name: Pinned(ts=self._pins[name], text=pins[name]) for name in fresh}
        newcomers = tuple(person for person in people if person.id not in self._in)
        self._tells += 1
        try:
            order = TellRoom(channel=self._channel, says=self._lines(lines), pins=changed, people=newcomers, nth=self._tells)
            told = await self._quietly(WarRoom.tell, order)
        except RetriesExhausted as out:
            self._unsent, self._down = [line._replace(late=True) for line in (*lines, *self._unsent)], True
            self._state.note("not sent", f"war room: {out.why}; it is backfilled when chat is back")
            return
        self._pins.update(_texts(told.after.get("pins")))
        for what, why in _texts(told.after.get("not_sent")).items():
            self._state.note("not sent", f"war room, {what}: {why}")
        self._shown, self._told_at = still, workflow.now()
        self._in |= {person.id for person in newcomers}

    def _lines(self, lines: Sequence[RoomMessage]) -> tuple[str, ...]:
        """The messages as they are; late ones in one piece, with their original times."""
        late = [line for line in lines if line.late]
        in_time = tuple(line.text for line in lines if not line.late)
        if not late:
            return in_time
        self._state.note("backfilled", f"war room: {len(late)} messages that could not be sent in time")
        told = "\n".join(f"{line.at:%H:%M:%S} UTC {line.text}" for line in late[-LATEST_BACKFILLED:])
        return (f"Sent late, with the original times:\n{told}", *in_time)

    def _people(self) -> tuple[Person, ...]:
        assignments, lead = self._state.assignments, self._state.card.lead
        roles = (Role.INCIDENT_COMMANDER, *lead, Role.SCRIBE, *((Role.LEGAL, Role.SECURITY_LEAD) if self._state.restricted else ()))
        return assignments.holders((*roles, Role.OPS_LEAD, Role.COMMS_LEAD, *assignments.assigned))

    def _picture(self) -> dict[str, str]:
        """What is pinned, by name: the seed's four, in its order."""
        state, links, assignments = self._state, self._shared.words.links, self._state.assignments
        runbooks = (f"Playbook §{state.card.section}: {state.card.title}", *links.runbooks_of(state.card.section))
        dashboards = [f"{name}: {link}" if name != link else link for name, link in links.dashboards.items()]
        scribe = "" if assignments.name(Role.SCRIBE) else f"Scribe {wording.INTERIM_SCRIBE} (interim)"
        offered = [f"{role.title} is offered to {offer.to}" for role, offer in assignments.offers.items()]
        alone = f"{assignments.solo} is alone" if assignments.solo else ""
        bridge = links.bridge or links.bridge_number
        details = {"Traces": ", ".join(state.traces), "Bridge": bridge, "Ticket": state.ticket}
        pins = {
            "runbooks": ("Runbooks", *runbooks, command("incident", "watch", state.id)),
            "dashboards": ("Dashboards", *(dashboards or ["none are configured: [links] dashboards"])),
            "rota": ("On call", links.rota, *assignments.rota(), scribe, *offered, alone),
            "status": ("Latest status", self._status(), *(f"{name}: {text}" for name, text in details.items() if text)),
        }
        return {name: "\n".join(filter(None, lines)) for name, lines in pins.items()}

    def _status(self) -> str:
        state = self._state
        return wording.room(
            at=workflow.now(), severity=int(state.severity), phase=f"{state.phase.title} ({state.run_state})", commander=state.commander(),
            radius=state.blast_radius or "blast radius not known yet",
            scribe=state.assignments.name(Role.SCRIBE), measures=[self._measure(m) for m in state.measures.in_force()],
            questions=[f"[{q.number}] {q.asks}" for q in state.approvals.questions if q.open], public=state.status_page,
            next=f"{state.next_update_due:%H:%M:%S} UTC" if state.next_update_due else "",
        )  # fmt: skip

    def _measure(self, one: InForce) -> str:
        """What is in force, and the command that undoes it."""
        step = imposed_by(self._state.steps, one)
        undo = f" (to undo: {command('incident', 'undo', self._state.id, str(step.number))})" if step is not None else ""
        return f"{one.name}: {one.target}{undo}"


def _still(pins: dict[str, str]) -> dict[str, str]:
    """What the pins say apart from the time at which they say it."""
    return {name: re.sub(r"^\d\d:\d\d UTC", "", text, flags=re.MULTILINE) for name, text in pins.items()}


def room_name(state: IncidentState) -> str:
    """`inc-YYYYMMDD-<short-name>` (seed §1.1): the incident's id; under a code name where it is restricted; within what Slack allows.

    An id that was typed into a form may be anything: it gets the day that it lacks.
    """
    day = f"inc-{state.declared_at:%Y%m%d}"
    if state.restricted:
        return f"{day}-{code_name(state.id)}"
    name = re.sub(r"[^a-z0-9_-]+", "-", state.id.lower()).strip("-")
    return (name if re.match(r"inc-\d{8}-.", name) else f"{day}-{name.removeprefix('inc-') or 'incident'}")[:80]


def _texts(given: object) -> dict[str, str]:
    return {str(name): str(ts) for name, ts in given.items()} if isinstance(given, dict) else {}
