"""The state of an incident: everything that is known and true of one incident, shared by the parts that `playbook.py` composes.

It holds values and answers questions about them; it does nothing to the outside.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue
from temporalio import workflow

from activities.action import OURS, Action, Effect, Patience, Risk, Role
from activities.kit.words.code_names import code_name
from activities.metrics.curves import CurveReading
from activities.metrics.orders import BlastRadius
from activities.organisation.policy import Policy
from activities.texts.wording import TRACE_LABELS, traces
from workflows.engine.evidence import EvidenceBook
from workflows.engine.measures import Measures
from workflows.engine.record.timeline import Timeline
from workflows.errors import CalledAgain, Relapse
from workflows.incident import UNSURE, Alert, Card, Exposure, Incident, Joined, Phase, Severity, State, worst
from workflows.people.approvals import Approvals
from workflows.people.command_codes import CommandCodes
from workflows.people.roster import RoleAssignments
from workflows.severity.adjustment import Observation, SeverityHistory
from workflows.severity.classify import classify
from workflows.severity.facts import Facts, Quality
from workflows.severity.readings import Reading, facts_of
from workflows.status import (
    CalledPlaybook,
    DrawnCurve,
    DrawnMatrix,
    ItemStatus,
    Planned,
    Step,
    StepState,
    Suspect,
    Task,
    pace_at,
    policy_time,
)

NOTHING: Mapping[str, JsonValue] = MappingProxyType({})
MOST_TRACES = 20  # trace ids that are shown: the newest


class IncidentState:
    """One incident as we know it now."""

    def __init__(self, incident_id: str, playbook: str, card: Card, at: datetime) -> None:
        self.id = incident_id
        self.playbook = playbook
        self.card = card
        self.called_for = ""  # why it was called in, where another playbook was first
        self.incident = Incident()
        self.rehearsing = False  # a plan: reads are real; changes and waits are only noted
        self.policy = Policy()
        self.mode = ""  # the policy's, once it was read
        self.timeline = Timeline()
        self.assignments = RoleAssignments()
        self.approvals = Approvals(incident_id)
        self.command_codes = CommandCodes(incident_id)
        self.measures = Measures()
        self.evidence = EvidenceBook()
        self.blast_radius = ""  # who is hit, as it was measured last
        self._radius: BlastRadius | None = None
        self.curve: DrawnCurve | None = None
        self.matrix: DrawnMatrix | None = None
        self.evidence_about: tuple[str, ...] = ()  # what must be seen to be ill, where it is not the service itself: `provider/aurora`
        self.severity_history = SeverityHistory(at)
        self.severity = self.peak_severity = card.floor if card.sure else worst(card.floor, UNSURE)
        self.reason = ""  # why the severity is what it is: the rule that decided it, or whoever set it
        self.judged = ""  # what the rules say now, where that is another severity
        self.new_facts = False  # an alert came since the severity was judged last
        self.severity_raised: Callable[[], None] = lambda: None  # what follows from it (`comms`)
        self.phase = Phase.DECLARED
        self.phases: list[Phase] = []
        self.run_state = State.OPEN
        self.steps: list[Step] = []
        self.tasks: list[Task] = []
        self.follow_ups: list[Task] = []
        self.checklist: Callable[[], list[ItemStatus]] = list  # the first minutes, as `Checklist` reads them off
        self.exposure = False  # any sign that data may be exposed
        self.exposures: list[Exposure] = []  # each of them, for the legal clocks
        self.chat_read = ""  # why our chat is taken for read by somebody else; empty: it is not
        self.breached = False  # the metrics have shown that customers are affected
        self.plan: list[Planned] = []
        self.scope = self.impact = ""  # in people's own words
        self.hypotheses: list[str] = []
        self.suspects: tuple[Suspect, ...] = ()  # by automation's reading of the evidence
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
        self.urgency = Severity.SEV5  # the gravest page that an alert has asked for so far
        self.restricted = card.restricted
        self.traces: tuple[str, ...] = ()
        self.stable_for: timedelta | None = None  # how long the service was proven stable; None: it was not
        self.alarm = ""  # the latest reason for a watch or a wait to look again at once; empty when there is none
        self.alarms = 0  # how many there were
        self.firing: dict[str, str] = {}  # alerts about what customers meet that fire now: what tells them apart → name
        self.recovering: asyncio.Task[Any] | None = None  # the playbook's own task, while it is in a recovery that can go back
        self.relapse: Relapse | None = None  # why recovery goes back to mitigation
        self.told: list[Mapping[str, str]] = []  # what whoever called it in once more says, as labels of an alert
        self.turns: dict[str, asyncio.Lock] = {}  # what one playbook of the incident changes at a time (`Turn`)
        self.at_work: dict[str, str] = {}  # target → what is done there, or was last
        self.listens = False  # whether this playbook goes by that
        self.relapses = 0
        self.symptom_ended = ""  # what the metrics showed, in mitigation, while people were still asked about the symptom
        self.children: list[IncidentState] = []  # the playbooks that were called in
        self.usual_pace = 1.0
        self.paces: list[tuple[datetime, float]] = []  # from when on policy time goes at which pace; a drill changes it
        self.narrow_actions: list[datetime] = []
        self._suppressed: set[str] = set()

    def assumes(self, action: Action) -> bool:
        """Whether an action is only noted and not done: in a plan, and in shadow mode where its system was not granted write access."""
        touches = action.writes or action.patience is Patience.WATCH
        if self.rehearsing:
            return touches
        allowed = self.policy.may_write_to
        return touches and allowed is not None and action.system not in OURS | set(allowed)

    def note_suppressed(self, message: str) -> None:
        """Shadow mode: what would have been sent is noted once."""
        if message not in self._suppressed:
            self._suppressed.add(message)
            self.note("shadow", f"not sent: {message}")

    @property
    def about(self) -> tuple[str, ...]:
        """What must be seen to be ill, one of these, before automation changes anything alone."""
        service, curve = self.incident.service, self.card.curve
        return self.evidence_about or (f"service/{service}" if curve is None else f"curve/{curve}/{service}",)

    @property
    def shadow(self) -> bool:
        """True in shadow mode: automation only reads, and notes what it would do."""
        return self.policy.mode == "shadow" and not self.rehearsing

    def note(
        self, kind: str, text: str, *, by: str = "automation", step: Step | None = None, **facts: str | int | float | bool | None
    ) -> None:
        """One line on the timeline, now."""
        self.timeline.note(workflow.now(), kind, text, by=by, phase=self.phase.value, step=step.number if step else None, **facts)

    def done(self, step: Step, answer: object, undo: str = "") -> None:
        """It was carried out, found done already, or only noted (a plan, or shadow mode). `undo`: the command that undoes it."""
        if isinstance(answer, Effect):
            state = StepState.ASSUMED if answer.assumed else StepState.ADOPTED if answer.adopted else StepState.DONE
            self.end(step, state, f"{answer.summary} (proven by {answer.proven_by})", undo)
        else:
            self.end(step, StepState.DONE, getattr(answer, "summary", "") or "looked")

    def end(self, step: Step, state: StepState, result: str, undo: str = "") -> None:
        step.state, step.result, step.ended_at = state, result, workflow.now()
        text = f"{step.verb} {step.target}: {result}" + (f"; nobody was asked, to undo it: {undo}" if undo else "")
        self.note(state.value, text, step=step, verb=step.verb, target=step.target, key=step.key)

    def measured(self, radius: BlastRadius) -> str:
        """Keep the blast radius as it was measured, and tell of it when it is known first or has changed materially."""
        before, self._radius, self.blast_radius = self._radius, radius, radius.in_words
        if before is not None and not radius.differs(before):
            return ""
        self.note("blast radius", self.blast_radius)
        return self.blast_radius

    def begin_at(self, pace: float) -> None:
        """The pace of an incident from its declaration on (a drill)."""
        self.usual_pace = self.policy.pace
        if pace != self.policy.pace:
            self.policy = self.policy.model_copy(update={"pace": pace})
            self.paces = [(self.incident.started_at or self.declared_at, self.usual_pace), (self.declared_at, pace)]

    def go_at(self, pace: float) -> None:
        """Policy time goes at another pace from now on (a drill)."""
        if pace != self.policy.pace:
            self.paces = [*(self.paces or [(self.declared_at, self.policy.pace)]), (workflow.now(), pace)]
            self.policy = self.policy.model_copy(update={"pace": pace})
            self.note("pace", f"one real second is {pace:g} s of policy time")

    def policy_time(self, start: datetime, end: datetime) -> timedelta:
        """How much policy time lies between two real instants."""
        return policy_time(self.paces or [(start, self.policy.pace)], start, end)

    @property
    def first_pace(self) -> Policy:
        """The policy at the pace at which the incident began: what was due then stays due then."""
        return self.policy.model_copy(update={"pace": pace_at(self.paces, self.declared_at)}) if self.paces else self.policy

    def draw(self, reading: CurveReading) -> None:
        """Keep one more point of the curve that matters."""
        drawn, below = self.curve or DrawnCurve(name=reading.curve, unit=reading.unit), reading.beside
        self.curve = drawn.further(reading.at, reading.shown, reading.usual)
        if below is not None:
            beside = drawn.beside or DrawnCurve(name=below.name, unit=below.unit)
            self.curve = self.curve.model_copy(update={"beside": beside.further(reading.at, below.shown, below.usual)})

    def task(self, text: str, owner: Role, by_hand: tuple[str, ...] = ()) -> Task:
        """Work for a person, stated in status and timeline."""
        return self._add(self.tasks, text, owner, by_hand, "")

    def tick(self, task: Task, by: str, said: str) -> None:
        """A person says that it is done."""
        task.done_at, task.done_by, task.said = workflow.now(), by, said
        self.note("task done", f"[{task.number}] {task.text}" + (f": {said}" if said else ""), by=by)

    def follow_up(self, text: str, owner: Role, due: str = "5 business days") -> None:
        """An after-action item for its owner, due when the post-mortem is (seed §4.2, Remediations)."""
        self._add(self.follow_ups, text, owner, (), due)

    def _add(self, to: list[Task], text: str, owner: Role, by_hand: tuple[str, ...], due: str) -> Task:
        task = Task(number=len(to) + 1, text=text, owner=owner, by_hand=by_hand, phase=self.phase, due=due)
        to.append(task)
        who = ", ".join(p.id for p in self.assignments.holders((owner,))) or "nobody on the roster"
        self.note("task", f"for {owner.title} ({who}): {text}", owner=owner.value)
        return task

    @property
    def because(self) -> tuple[str, ...]:
        """Why the severity is what it is; and what the rules say now, where that is another one."""
        return tuple(filter(None, (self.reason, self.judged)))

    def judge(self, seen: Reading, window: timedelta) -> bool:
        """Classify again on a reading that was made anyway. One that looks back too far says nothing of now."""
        numbers, now = self.policy.severity, workflow.now()
        if window.total_seconds() > numbers.window_s or self.run_state.over:
            return False
        begun = min(self.incident.started_at or self.declared_at, self.declared_at)
        lasted = self.severity_history.lasted(now, begun, self.policy.paced(window), numbers.degraded_ratio) * self.policy.pace
        facts, radius = facts_of(seen, lasted), seen if isinstance(seen, BlastRadius) else None
        quality = Quality(radius.quality) if radius else Quality.UNKNOWN
        return bool(facts.err_ratio) and self.classify(facts, quality, whole=radius is not None)

    def classify(self, facts: Facts, quality: Quality = Quality.UNKNOWN, *, whole: bool = True) -> bool:
        """Classify again on what is known now. Automation may only raise (INV-10); what the rules say is shown either way. True: raised."""
        found = classify(facts, self.policy.severity)
        self.severity_history.observe(
            Observation(at=workflow.now(), facts=facts, quality=quality, whole=whole), self.policy.severity.paced(self.policy.pace)
        )
        self.breached |= any(ratio >= self.policy.impact.error_ratio for ratio in facts.err_ratio.values())
        decided = f"{found.rules[0].rule}: {found.rules[0].because}"
        if not self.exposure and (facts.data_exposure.at_least("SUSPECTED") or facts.isolation_failure.at_least("SUSPECTED")):
            self.exposure = True
            self.exposed(decided, malicious=facts.active_adversary is True)
        if raised := found.severity < self.severity:
            self.set_severity(found.severity, decided, "automation")
        elif found.severity == self.severity:
            self.reason, self.judged = decided, ""
        elif whole:
            self.judged = f"by what is measured now it would be {found.severity.label}: {decided}"
        return raised

    def exposed(
        self, why: str, *, tenants: tuple[str, ...] = (), personal_data: bool = False, malicious: bool = False,
        facts: Mapping[str, JsonValue] = NOTHING,
    ) -> None:  # fmt: skip
        """Data may have been seen, lost or changed. What shows itself while the incident is still looked into was suspected from its beginning."""
        early = self.phase in (Phase.DECLARED, Phase.TRIAGE)
        told = Exposure(why, self.declared_at if early else workflow.now(), tenants, personal_data, malicious, facts)
        if not any(one.why == why and set(tenants) <= set(one.tenants) and one.facts == facts for one in self.exposures):
            self.exposures.append(told)
            self.note("exposure", why, tenants=len(tenants))

    def set_severity(self, to: Severity, because: str, by: str) -> None:
        """Another severity from now on: raised by automation, or as a person decides."""
        before = self.severity
        self.severity, self.peak_severity = to, worst(self.peak_severity, to)
        self.reason, self.judged = because if by == "automation" else f"{by}: {because}", ""
        self.severity_history.changed(workflow.now())
        self.note("severity", f"{before.label} → {to.label}: {because}", by=by)
        if to < before:
            self.raise_alarm(f"severity raised to {to.label}")
            self.severity_raised()

    def raise_alarm(self, why: str) -> None:
        """Whoever watches or waits looks again at once."""
        self.alarm, self.alarms = why, self.alarms + 1
        for child in self.children:
            child.alarm = why

    def tell(self, labels: Mapping[str, str], why: str) -> None:
        """Another playbook of the incident knows more. Recovery goes back for it where this playbook goes by such news (`Rounds.told`)."""
        self.told.append(labels)
        if self.recovering is not None:
            self.told_in_recovery(why)

    def told_in_recovery(self, why: str = "more was said of it while it worked") -> None:
        if self.listens and self.told and self.relapse is None:  # an impact that is back is said first
            self.relapse = CalledAgain(f"§{self.card.section} {self.card.title} goes on: {why}")

    def raise_confidence(self, confidence: str) -> None:
        """A further alert may make us surer than the one that opened the incident did; never less sure (spec §2.3)."""
        try:
            more = min(float(confidence), 1.0)
        except ValueError:
            return
        if more > self.incident.confidence:
            self.incident = self.incident.model_copy(update={"confidence": more})

    def count_alert(self, alert: Alert) -> Joined:
        """One more delivery. Not ours, when it has another key, or when it fires again after the end."""
        if alert.dedup_key != self.incident.dedup_key or (self.run_state.over and alert.status == "firing"):
            return Joined(mine=False, alerts=self.alerts)
        if alert.event is not None:
            self.evidence.tell(alert.event, workflow.now(), firing=alert.status == "firing")
        if alert.delivery == self.incident.delivery:
            return Joined(mine=True, alerts=max(self.alerts, 1))
        self.alerts += 1
        self.add_traces(alert.labels)
        text = f"{alert.name} {alert.status}: {alert.summary}"
        self.note("alert", text, by="alertmanager", delivery=alert.delivery, received=alert.received)
        self.follow_alert(alert.name, alert.labels, firing=alert.status == "firing")
        if alert.status == "firing":
            self.raise_alarm(f"{alert.name} is firing")
            self.urgency = worst(self.urgency, alert.urgency or self.urgency)
            self.new_facts = True
            self.raise_confidence(alert.labels.get("confidence", ""))
        return Joined(mine=True, alerts=self.alerts)

    def follow_alert(self, name: str, labels: Mapping[str, str], *, firing: bool) -> None:
        """Keep which alerts fire, as far as they are about what customers meet."""
        key = " ".join((name, *(f"{label}={value}" for label, value in sorted(labels.items()) if label not in TRACE_LABELS)))
        if firing and self.card.alerts_on_impact:
            self.firing[key] = name
        else:
            self.firing.pop(key, None)

    def firing_names(self) -> str:
        return ", ".join(sorted(set(self.firing.values())))

    def forget_alerts(self, by: str) -> None:
        """A person says that what still fires says nothing of now."""
        if self.firing:
            self.note("alert", f"{self.firing_names()}: no more waited for, says {by}", by=by)
            self.firing.clear()

    @property
    def confidence(self) -> float:
        return self.incident.confidence

    def add_traces(self, labels: Mapping[str, str]) -> None:
        """Keep the trace ids that an alert brings: they go into ticket and war room, never into a public text (seed §3)."""
        fresh = tuple(trace for trace in traces(labels) if trace not in self.traces)
        if fresh:
            self.traces = (*self.traces, *fresh)[-MOST_TRACES:]
            self.note("traces", ", ".join(fresh))

    @property
    def display_name(self) -> str:
        """Its name where others than the responders may read it: a restricted incident has a code name."""
        if self.restricted:
            return f"{self.severity.label} restricted incident {code_name(self.id)}"
        return f"{self.severity.label} §{self.card.section} {self.card.title} · {self.incident.service or 'scope not known'}"

    def as_called(self) -> CalledPlaybook:
        """As a playbook that was called in is shown."""
        return CalledPlaybook(
            playbook=self.playbook, section=self.card.section, title=self.card.title, why=self.called_for, state=self.run_state,
            phase=self.phase, waiting_for=self.waiting_for, outcome=self.outcome, curve=self.curve, matrix=self.matrix,
        )  # fmt: skip

    @property
    def anything_in_force(self) -> bool:
        return any(not imposed.assumed for imposed in self.measures.standing)

    @property
    def lasting_measures(self) -> bool:
        """Whether anything is in force that does not end at the stability gate: more than our own change freeze."""
        return any(not imposed.measure.until_stable for imposed in self.measures.standing)

    def risk_in_force(self, *, freeze: bool) -> Risk:
        """The gravest class of what is in force, by what imposed it and by what lifts it. `freeze`: our own change freeze counts too."""
        limits, standing = self.policy.limits, self.measures.standing
        counted = (imposed for imposed in standing if not imposed.assumed and (freeze or not imposed.measure.until_stable))
        return max((imposed.risk(limits) for imposed in counted), default=Risk.C0)

    def commander(self) -> str:
        """Who commands: the person assigned, or nobody yet."""
        return self.assignments.name(Role.INCIDENT_COMMANDER)
