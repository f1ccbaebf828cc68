"""What the rooms below the engine need of it, so that nothing here imports it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from activities.action import A, Action, Grant, O, Risk, Role, Verb
from activities.organisation.people import Person
from activities.organisation.policy import Policy
from workflows.errors import Relapse
from workflows.incident import Severity, State
from workflows.people.approvals import Approvals
from workflows.people.command_codes import CommandCodes
from workflows.people.roster import RoleAssignments
from workflows.severity.adjustment import SeverityHistory
from workflows.status import Step, Task


class IncidentContext(Protocol):
    """The state of an incident (`engine/state.py`), as far as people decide about it."""

    id: str
    policy: Policy
    severity: Severity
    assignments: RoleAssignments
    approvals: Approvals
    command_codes: CommandCodes
    severity_history: SeverityHistory
    rehearsing: bool
    restricted: bool
    chat_read: str
    run_state: State
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    next_update_due: datetime | None
    paused_by: str
    breached: bool
    recovering: asyncio.Task[Any] | None
    relapse: Relapse | None
    symptom_ended: str
    hypotheses: list[str]
    impact: str
    blast_radius: str
    scope: str
    tasks: list[Task]

    @property
    def shadow(self) -> bool: ...
    @property
    def display_name(self) -> str: ...
    @property
    def anything_in_force(self) -> bool: ...
    @property
    def lasting_measures(self) -> bool: ...

    def assumes(self, action: Action) -> bool: ...
    def commander(self) -> str: ...
    def tick(self, task: Task, by: str, said: str) -> None: ...
    def risk_in_force(self, *, freeze: bool) -> Risk: ...
    def set_severity(self, to: Severity, because: str, by: str) -> None: ...
    def note(self, kind: str, text: str, *, by: str = ..., step: Step | None = ..., **facts: str | int | float | bool | None) -> None: ...
    def follow_up(self, text: str, owner: Role, due: str = ...) -> None: ...


class Reasons(Protocol):
    """What automation may do unasked (`engine/unasked.py`)."""

    def why_asked(self, verb: Verb[O, A], order: O) -> str: ...


class VerbInvoker(Protocol):
    """Invokes verbs (`engine/invoker.py`)."""

    @property
    def unasked(self) -> Reasons: ...
    def risk(self, verb: Verb[O, A], order: O) -> Risk: ...
    async def quietly(self, verb: Verb[O, A], order: O, *, key: str = ..., grant: Grant | None = ...) -> A: ...


class Tells(Protocol):
    """Tells people what happened."""

    def say(self, text: str) -> None: ...
    def page(self, roles: tuple[Role, ...], why: str) -> None: ...
    def impact_returned(self) -> None: ...


class Announcer(Tells, Protocol):
    """All communications of an incident (`comms/comms.py`)."""

    def spoke(self, person: Person) -> None: ...
    def role_taken(self) -> None: ...
    def offer(self, role: Role, to: Person, by: str, *, vouched: bool = ...) -> None: ...
    def remind(self, people: Sequence[Person], text: str) -> None: ...
    def send_code(self, person: Person) -> str: ...
    def widen(self, person: Person, why: str) -> str: ...
    async def resolved(self) -> None: ...
    async def closed(self, word: str) -> None: ...
