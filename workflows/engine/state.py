"""The state of an incident: everything that is known and true of one incident, shared by the parts that `playbook.py` composes.

It holds values and answers questions about them; it does nothing to the outside.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from temporalio import workflow

from activities.action import OURS, Action, Order, Patience, Risk, Role
from activities.organisation.policy import Policy
from activities.texts.wording import INTERIM_SCRIBE, code_name, traces
from workflows.engine.measures import Measures
from workflows.engine.timeline import Timeline
from workflows.incident import (
    UNSURE,
    Card,
    Incident,
    Phase,
    Severity,
    State,
    worst,
)
from workflows.people.approvals import Approvals
from workflows.people.roster import RoleAssignments
from workflows.status import ItemStatus, Planned, Status, Step, StepState, Task

MOST_TRACES = 20  # trace ids that are shown: the newest


class IncidentState:
    """One incident as we know it now."""

    def __init__(self, incident_id: str, playbook: str, card: Card, at: datetime) -> None:
        self.id = incident_id
        self.playbook = playbook
        self.card = card
        self.incident = Incident()
        self.rehearsing = False  # a plan: reads are real, changes and waits are only said
        self.policy = Policy()
        self.mode = ""  # the policy's, once it was read
        self.timeline = Timeline()
        self.assignments = RoleAssignments()
        self.approvals = Approvals(incident_id)
        self.measures = Measures()
        self.severity = self.peak_severity = card.floor if card.sure else worst(card.floor, UNSURE)
        self.because: tuple[str, ...] = ()
        self.phase = Phase.DECLARED
        self.phases: list[Phase] = []
        self.run_state = State.OPEN
        self.steps: list[Step] = []
        self.tasks: list[Task] = []
        self.follow_ups: list[Task] = []
        self.ticks: Callable[[], list[ItemStatus]] = list  # the first minutes, as `FirstMinutes` reads them off
        self.exposure = False  # any hint that data may be exposed
        self.breached = False  # customers were seen to be hit
        self.plan: list[Planned] = []
        self.scope = self.impact = ""  # in people's own words
        self.hypotheses: list[str] = []
        self.declared_at = at
        self.acknowledged_at: datetime | None = None
        self.mitigated_at: datetime | None = None
        self.resolved_at: datetime | None = None
        self.closed_at: datetime | None = None
        self.next_update_due: datetime | None = None
        self.status_page = ""
        self.room = ""
        self.ticket = ""
        self.paused_by = ""
        self.waiting_for = ""
        self.outcome = ""
        self.alerts = 0
        self.restricted = card.restricted
        self.traces: tuple[str, ...] = ()
        self.stable_for: timedelta | None = None  # how long the service was proven stable; None: it was not
        self.alarm = ""  # the latest reason for a watch or a wait to look again at once; empty when there is none
        self.narrow_actions: list[datetime] = []
        self._versions = 0
        self._unsaid: set[str] = set()
        self._seen: object = None

    def assumes(self, action: Action) -> bool:
        """Whether an action is only said and not done: in a plan, and in shadow mode where its system was not granted write access."""
        touches = action.writes or action.patience is Patience.WATCH
        if self.rehearsing:
            return touches
        allowed = self.policy.may_write_to
        return touches and allowed is not None and action.system not in OURS | set(allowed)

    def withhold(self, unsaid: str) -> None:
        """What would have been said is noted once."""
        if unsaid not in self._unsaid:
            self._unsaid.add(unsaid)
            self.note("shadow", f"not said: {unsaid}")

    @property
    def shadow(self) -> bool:
        """True in shadow mode: we look on, and say what we would do."""
        return self.policy.mode == "shadow" and not self.rehearsing

    def note(
        self, kind: str, text: str, *, by: str = "automation", step: Step | None = None, **facts: str | int | float | bool | None
    ) -> None:
        """One line on the timeline, now."""
        self.timeline.note(workflow.now(), kind, text, by=by, phase=self.phase.value, step=step.number if step else None, **facts)

    def begin(self, action: Action, order: Order, risk: Risk, state: StepState = StepState.RUNNING) -> Step:
        """A step appears on the screen."""
        step = Step(
            number=len(self.steps) + 1, phase=self.phase, verb=action.name, target=order.target(), says=order.effect(), risk=risk,
            state=state, started_at=workflow.now(), by_hand=order.by_hand(), owner=action.asks[0],
        )  # fmt: skip
        self.steps.append(step)
        return step

    def end(self, step: Step, state: StepState, result: str) -> None:
        step.state, step.result, step.ended_at = state, result, workflow.now()
        self.note(state.value, f"{step.verb} {step.target}: {result}", step=step, verb=step.verb, target=step.target, key=step.key)

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> None:
        """Work for a person, stated in status and timeline."""
        self._hand(self.tasks, text, owner, by_hand, "")

    def follow_up(self, text: str, owner: Role, due: str) -> None:
        """An after-action item for its owner (seed §4.2, Remediations)."""
        self._hand(self.follow_ups, text, owner, (), due)

    def _hand(self, to: list[Task], text: str, owner: Role, by_hand: tuple[str, ...], due: str) -> None:
        to.append(Task(number=len(to) + 1, text=text, owner=owner, by_hand=by_hand, phase=self.phase, due=due))
        who = ", ".join(p.id for p in self.assignments.holders((owner,))) or "nobody on the roster"
        self.note("task", f"for {owner.title} ({who}): {text}", owner=owner.value)

    def raise_severity(self, to: Severity, because: tuple[str, ...]) -> bool:
        """Automation may only raise (INV-10). True when it did."""
        self.because = because or self.because
        if to >= self.severity:
            return False
        self.note("severity", f"{self.severity.label} → {to.label}: {'; '.join(because)}")
        self.severity, self.peak_severity = to, worst(self.peak_severity, to)
        self.alarm = f"severity raised to {to.label}"
        return True

    def surer(self, confidence: str) -> None:
        """A further alert may make us surer than the one that opened the incident did; never less sure (spec §2.3)."""
        try:
            more = min(float(confidence), 1.0)
        except ValueError:
            return
        if more > self.incident.confidence:
            self.incident = self.incident.model_copy(update={"confidence": more})

    @property
    def confidence(self) -> float:
        return self.incident.confidence

    def traced(self, labels: Mapping[str, str]) -> None:
        """Keep the trace ids that an alert brings: they go into ticket and war room, never into a public text (seed §3)."""
        fresh = tuple(trace for trace in traces(labels) if trace not in self.traces)
        if fresh:
            self.traces = (*self.traces, *fresh)[-MOST_TRACES:]
            self.note("traces", ", ".join(fresh))

    @property
    def called(self) -> str:
        """What it is called where people beside the responders may read it: a restricted incident has a code name."""
        if self.restricted:
            return f"{self.severity.label} restricted incident {code_name(self.id)}"
        return f"{self.severity.label} §{self.card.section} {self.card.title} · {self.incident.service or 'scope not known'}"

    def commander(self) -> str:
        """Who commands: the person assigned, or nobody yet."""
        return self.assignments.name(Role.INCIDENT_COMMANDER)

    def changed(self) -> bool:
        """True when the status differs from the one last given out."""
        return self._picture() != self._seen

    def snapshot(self) -> Status:
        """The status now, under a new version number."""
        self._seen = self._picture()
        self._versions += 1
        return self.status()

    def status(self) -> Status:
        """The status now. It is a view of what changes: turn it into JSON before the next step."""
        return Status(
            incident_id=self.id, version=self._versions, playbook=self.playbook, section=self.card.section,
            title=self.incident.title or self.card.title, service=self.incident.service, scope=self.scope, impact=self.impact,
            hypotheses=tuple(self.hypotheses), severity=self.severity,
            peak_severity=self.peak_severity, because=self.because, phase=self.phase, state=self.run_state, commander=self.commander(),
            roles={Role.SCRIBE: INTERIM_SCRIBE, **{role: self.assignments.name(role) for role in (*self.assignments.on_it,
                   *self.assignments.assigned)}},
            source=self.incident.source,
            dedup_key=self.incident.dedup_key, alerts=self.alerts, started_at=self.incident.started_at, declared_at=self.declared_at,
            acknowledged_at=self.acknowledged_at, mitigated_at=self.mitigated_at, resolved_at=self.resolved_at, closed_at=self.closed_at,
            updated_at=workflow.now(), next_update_due=self.next_update_due, status_page=self.status_page, room=self.room,
            ticket=self.ticket, paused_by=self.paused_by, waiting_for=self.waiting_for, phases=tuple(self.phases),
            steps=self.steps, in_force=self.measures.in_force(),
            questions=self.approvals.questions, tasks=self.tasks,
            follow_ups=self.follow_ups, checklist=self.ticks(), plan=self._to_come(),
            entries=len(self.timeline.entries), pace=self.policy.pace, outcome=self.outcome, mode=self.mode,
            may_write=self.policy.write_access if self.mode == "shadow" else (),
            restricted=self.restricted, solo=bool(self.assignments.solo), traces=self.traces,
            offers={offer.role: offer.to for offer in self.assignments.offers.values()},
        )  # fmt: skip

    def _to_come(self) -> list[Planned]:
        """The plan without what was begun meanwhile."""
        begun = {(step.verb, step.target, step.says) for step in self.steps}
        return [one for one in self.plan if (one.verb, one.target, one.says) not in begun]

    def _picture(self) -> object:
        # Cheap to compare at every turn: whatever changes the screen changes one of these.
        return (
            len(self.timeline.entries), self.phase, self.run_state, self.severity, self.next_update_due, self.waiting_for, self.paused_by,
            self.room, self.ticket, self.status_page, self.alerts, self.outcome, self.acknowledged_at, len(self.follow_ups),
            self.restricted, self.assignments.solo, self.traces,
            tuple(s.state for s in self.steps), tuple((q.state, q.rung, len(q.given)) for q in self.approvals.questions),
            tuple((i.number, i.certain, i.held_by) for i in self.measures.standing),
            tuple((t.key, t.state) for t in self.ticks()), tuple((p.number, p.says) for p in self.plan),
        )  # fmt: skip
