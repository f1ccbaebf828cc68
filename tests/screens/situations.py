"""Incidents to look at: the same few, for screens, commands and documents."""

from datetime import datetime, timedelta

from activities.action import Call, Effect, Order, Risk, Role
from activities.ledger.entry import Entry
from activities.ledger.ledger import Ledger
from activities.ledger.record import Record
from workflows.incident import AcceptedAnswer, Phase, Question, QuestionKind, QuestionState, Severity, State
from workflows.status import InForce, ItemStatus, Planned, Status, Step, StepState, Task

DECLARED = datetime.fromisoformat("2026-11-23T10:02:00+00:00")
NOW = DECLARED + timedelta(minutes=14, seconds=32)
ASKING = "inc-20261123-llm-chat"
OVER = "inc-20261120-llm-search"


def at(minutes: float) -> datetime:
    return DECLARED + timedelta(minutes=minutes)


def step(
    number: int, phase: Phase, verb: str, target: str, state: StepState, result: str = "", begun: float = 0, took: float = 0.2
) -> Step:
    ended = None if state in (StepState.RUNNING, StepState.ASKING, StepState.PAUSED) else at(begun + took)
    return Step(
        number=number, phase=phase, verb=verb, target=target, says=f"{verb} of {target}", risk=Risk.C1, state=state,
        started_at=at(begun), ended_at=ended, result=result, key=f"{ASKING}/{verb}/{target}/1", owner=Role.OPS_LEAD,
    )  # fmt: skip


def question(number: int = 3, **changed: object) -> Question:
    told = {
        "number": number, "kind": QuestionKind.APPROVAL, "asks": "Send chat of 12 tenants to borealis, whose parity is below 95 %?",
        "effect": "chat of 12 tenants is answered by borealis-pro-2 (0 % → 100 %, in steps of 10 %, 50 %, 100 %)",
        "inverse": "the weights of aurora and borealis go back to 100 % / 0 %",
        "by_hand": ("curl -X PUT https://selector.internal/llm/v1/routes/chat/weights -H 'If-Match: \"7\"' "
                    "-d '{\"epoch\": 8, \"weights\": {\"borealis\": 1.0}}'",),
        "facts": ("parity of borealis-pro-2 is 93 %, wanted 95 %", "61 % of 812 calls to aurora failed in 5 minutes", "price ratio 1.1"),
        "risk": Risk.C2, "roles": (Role.INCIDENT_COMMANDER, Role.AI_ML_LEAD), "digest": "d" * 64, "asked_at": at(10),
        "told": ("dana", "ravi"),
    }  # fmt: skip
    return Question.model_validate(told | changed)


def asking(**changed: object) -> Status:
    """In mitigation, with a question open, a measure in force, one in doubt, and work for a person."""
    told = {
        "incident_id": ASKING, "version": 41, "playbook": "llm_provider_outage", "section": "2.2",
        "title": "LLM provider outage or degradation",
        "service": "chat", "severity": Severity.SEV2, "peak_severity": Severity.SEV1, "phase": Phase.MITIGATION,
        "because": ("B2: core feature degraded for 16 of 20 tenants", "unsure about revenue, so SEV-2 until triage says otherwise"),
        "commander": "dana", "roles": {Role.INCIDENT_COMMANDER: "dana", Role.SCRIBE: "lee", Role.OPS_LEAD: "lee", Role.COMMS_LEAD: "noor"},
        "source": "alertmanager", "dedup_key": "llm_provider_outage/chat", "alerts": 3, "started_at": at(-2), "declared_at": DECLARED,
        "acknowledged_at": at(1), "updated_at": NOW - timedelta(seconds=3), "next_update_due": at(30), "status_page": "identified",
        "room": "#inc-20261123-llm-chat", "ticket": "OPS-812", "phases": (Phase.DECLARED, Phase.TRIAGE, Phase.MITIGATION),
        "waiting_for": "an answer to question 3", "entries": 6, "pace": 1.0,
        "steps": [
            step(1, Phase.TRIAGE, "telemetry.error_share", "chat/aurora", StepState.DONE, "61 % of 812 calls failed: overload", 0.1),
            step(2, Phase.TRIAGE, "models.survey", "chat", StepState.DONE, "aurora 100 %, borealis 0 %, cumulus 0 %", 0.3),
            step(3, Phase.TRIAGE, "pager.page", "dana", StepState.DONE, "acknowledged", 0.1, 1),
            step(4, Phase.TRIAGE, "status_page.publish", "Investigating", StepState.ADOPTED, "somebody had published it", 0.5),
            step(5, Phase.MITIGATION, "flags.switch_off", "tools.high_psu", StepState.DONE, "off, read back from the edge", 4),
            step(6, Phase.MITIGATION, "models.back_off", "client policy", StepState.FAILED, "412: somebody changed it meanwhile", 5),
            step(7, Phase.MITIGATION, "caches.serve_recent", "chat", StepState.TASK, "no adapter: a task for the Ops Lead", 6),
            step(8, Phase.MITIGATION, "models.weigh", "chat/12 tenants", StepState.ASKING, "", 10),
        ],
        "in_force": [
            InForce(number=1, name="high-PSU tools off", target="tools.high_psu", since=at(4), sticky=False, certain=True,
                    lifts_by="flags.restore", by_hand=("curl -X POST https://flags.internal/api/flags/tools.high_psu/on",)),
            InForce(number=2, name="retrieval only", target="chat/acme", since=at(8), sticky=False, certain=False,
                    lifts_by="models.normal"),
        ],
        "questions": [
            question(1, state=QuestionState.DECLINED, closed_at=at(3), asks="Block all of chat?",
                     answers=[AcceptedAnswer(verdict="decline", by="dana", role=Role.INCIDENT_COMMANDER, verified=True, at=at(3),
                                  reason="too broad")]),
            question(2, state=QuestionState.GRANTED, closed_at=at(4), asks="Switch the high-PSU tools off?",
                     answers=[AcceptedAnswer(verdict="approve", by="lee", role=Role.OPS_LEAD, verified=False, at=at(4))]),
            question(),
        ],
        "tasks": [
            Task(number=1, text="Cache recent answers (CAG): no adapter for it yet", owner=Role.OPS_LEAD, phase=Phase.MITIGATION,
                 due="10:30 UTC", by_hand=("redis-cli -h cache.internal CONFIG SET maxmemory-policy allkeys-lru",)),
        ],
    }  # fmt: skip
    return Status.model_validate(told | changed)


def tick(key: str, state: str, due: float | None = None, done: float | None = None, evidence: str = "") -> ItemStatus:
    return ItemStatus.model_validate({
        "key": key, "state": state, "due_at": None if due is None else at(due), "done_at": None if done is None else at(done),
        "evidence": evidence,
    })  # fmt: skip


def ticked(**changed: object) -> Status:
    """The first quarter of an hour is nearly over: most is done, something late, something missed; and the playbook says what comes."""
    told = {
        "version": 52, "scope": "12 of 20 tenants, both regions", "impact": "chat answers “try again later” for 61 % of requests",
        "hypotheses": ("aurora is overloaded", "a push at noon"),
        "checklist": [
            tick("declare", "done", 1, 0.4, "ticket OPS-812"), tick("commander", "done", 5, 1, "dana acknowledged the page"),
            tick("scribe", "late", 10, 12, "lee"), tick("cadence", "done", 2, 0.1, "next update 10:32 UTC"),
            tick("freeze", "missed", 2), tick("telemetry", "open", 15), tick("blast_radius", "done", 10, 3, "HIGH: 12 of 20 tenants"),
            tick("playbook", "done", 10, 4, "flags.switch_off"), tick("war_room", "done", 5, 0.5, "#inc-20261123-llm-chat"),
            tick("status_page", "done", 10, 2), tick("published", "open", 15), tick("told", "not due"), tick("leads", "done", 15, 6, "lee, noor"),
            tick("evidence", "not applicable", evidence="no security hint"), tick("legal_clocks", "not applicable"),
        ],
        "plan": [
            Planned(number=1, phase=Phase.MITIGATION, says="chat of 12 tenants is answered by borealis-pro-2", verb="models.shift",
                    target="chat", by_hand=("curl -X PUT https://selector.internal/llm/v1/routes/chat/weights -d '{\"borealis\": 1.0}'",)),
            Planned(number=2, phase=Phase.RECOVERY, says="return to aurora by canary", verb="canary.back", target="chat → aurora"),
            Planned(number=3, phase=Phase.RECOVERY, says="the service is stable for 60 minutes"),
        ],
    }  # fmt: skip
    return asking(**(told | changed))


def repairing() -> Status:
    return asking(
        version=44,
        questions=[
            question(
                4, kind=QuestionKind.REPAIR, asks="models.back_off on the client policy failed 4 times. What now?", risk=Risk.C1,
                options=("retry", "done_by_hand", "skip", "hand_over"), facts=("412 Precondition Failed: " + "somebody changed it " * 12,),
                roles=(Role.OPS_LEAD, Role.INCIDENT_COMMANDER), expires_at=at(20), silence="abort", told=("lee",),
            )
        ],
        paused_by="dana", next_update_due=at(12),
    )  # fmt: skip


def hostile() -> Status:
    """Text from outside that tries to draw on the screen."""
    evil = "\x1b[2J\x1b]0;owned\x07\x1b[31mALL RESOLVED\x1b[0m \u202egnihton\u202c\x00 [bold]x[/bold]\nincident stand-down " + "w" * 200
    return asking(title=evil, service=evil, room=evil, waiting_for=evil, questions=[question(asks=evil, facts=(evil,), told=(evil,))])


def over() -> Status:
    """Resolved and closed, with follow-ups."""
    return asking(
        incident_id=OVER, version=90, service="search", phase=Phase.CLOSED, state=State.CLOSED, mitigated_at=at(20), resolved_at=at(95),
        closed_at=at(100), updated_at=at(100), questions=[q for q in asking().questions if not q.open], in_force=[], waiting_for="",
        next_update_due=None, status_page="resolved", outcome="resolved after failover to borealis", dedup_key="llm_provider_outage/search",
        phases=(Phase.TRIAGE, Phase.MITIGATION, Phase.RECOVERY, Phase.POST_INCIDENT, Phase.CLOSED), entries=0,
        steps=[
            *(s for s in asking().steps if s.state is not StepState.ASKING),
            step(9, Phase.RECOVERY, "canary.back", "chat → aurora", StepState.DONE, "100 % on aurora", 60, 25),
        ],
        follow_ups=[Task(number=1, text="Update Tool Specs with the failover policy", owner=Role.AI_ML_LEAD, phase=Phase.POST_INCIDENT)],
    )  # fmt: skip


def holding() -> Status:
    """Stood down, with one measure left in somebody's name, and one that only people lift."""
    return over().model_copy(update={
        "incident_id": "inc-20261119-key", "state": State.STOOD_DOWN, "outcome": "stood down by dana",
        "in_force": [
            InForce(number=1, name="frozen", target="deploys of chat", since=at(-900), sticky=True, certain=True, held_by="dana",
                    lifts_by="remove our hold", by_hand=("gh api -X DELETE repos/acme/chat/rulesets/7",)),
            InForce(number=2, name="key revoked", target="openai-prod", since=at(-870), sticky=True, certain=True, lifts_by="mint a new one"),
        ],
    })  # fmt: skip


def lines() -> tuple[Entry, ...]:
    """The timeline of the incident that asks."""
    told = [
        (-2, "detected", "LlmProviderErrors fired", "alertmanager"),
        (0, "declared", "SEV-2 declared by alertmanager", "automation"),
        (1, "acknowledged", "dana takes command", "dana"),
        (4, "granted", "[2] approve by lee (self-declared)", "lee"),
        (4.2, "done", "flags.switch_off tools.high_psu: off, read back from the edge", "automation"),
        (10, "asked", "[3] Send chat of 12 tenants to borealis?\x1b[2J", "automation"),
    ]
    kept: list[Entry] = []
    for number, (minute, kind, text, by) in enumerate(told, start=1):
        entry = Entry(number=number, at=at(minute), kind=kind, text=text, by=by, phase="triage", facts={"n": number})
        kept.append(entry.sealed(kept[-1].hash if kept else ""))
    return tuple(kept)


class Flag(Order):
    name: str

    def target(self) -> str:
        return self.name

    def effect(self) -> str:
        return f"{self.name} is off"

    def by_hand(self) -> tuple[str, ...]:
        return (f"curl -X POST https://flags.internal/api/flags/{self.name}/off",)


async def fill(ledger: Ledger, *, only: Status | None = None) -> Ledger:
    """A ledger with the incident that asks, and one that is over."""
    for status in [only] if only else [asking(), over()]:
        entries = lines() if status.incident_id == ASKING else ()
        ledger.write(Record(incident_id=status.incident_id, entries=entries, status=status.model_dump(mode="json")))
    call = Call(incident_id=ASKING, key=f"{ASKING}/flags.switch_off/tools.high_psu/1", at=at(4))
    await ledger.began("flags.switch_off", Risk.C1, Flag(name="tools.high_psu"), call, 1)
    effect = Effect(target="tools.high_psu", summary="off", proven_by="the edge's own copy", before={"on": True}, after={"on": False})
    await ledger.ended(call, "done", effect, "")
    return ledger
