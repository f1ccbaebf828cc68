"""Every 15 world seconds: sessions read what they come across; what carries an attack is judged, and obeyed where nothing keeps them from it."""

from __future__ import annotations

from functools import lru_cache

from practice.agents.runtime import PLATFORM, Profile, Run, Runtime, Session
from practice.egress.outbound import RENDER, Origin, outbound
from practice.injection.attacks import Attack, Deed, Injections, Read, ToolCall, Trace, Trip, injections
from practice.injection.guard import FLAGGED, Judged, judged
from practice.library.library import MEMORY, Document, Library, library
from practice.library.likeness import likeness
from practice.metrics.metrics import Metrics
from practice.quality.faults import QualityFaults
from practice.quality.guardrails import Posture
from practice.world.state import State

CHECKS = 12  # texts that the guardrails look at in one step, on an ordinary day
EVERY = 60.0  # seconds between two deeds of one session
MOST_CALLS = 40  # of a session that are kept
LIKE = 0.8
HIGH_RISK = ("mail.send", "files.write", "web.fetch")


class Simulation:
    """The guardrails, and the sessions that come across an attack."""

    def __init__(self, seed: int, metrics: Metrics, state: State) -> None:
        self._metrics, self._service = metrics, state.route.alias
        self._checks = metrics.counter("guardrail_checks_total", {"service": self._service})

    def step(self, state: State, at: float) -> None:
        there = injections(state)
        if not down(state):
            self._checks.value += CHECKS
        for attack in there.attacks:
            if attack.active(at):
                self._reaches(state, there, attack, at)

    def _reaches(self, state: State, there: Injections, attack: Attack, at: float) -> None:
        runtime, stores = state.part(Runtime), library(state)
        carriers = list(_carriers(there, stores, attack))
        if not carriers:
            return
        for run in [run for run in runtime.runs.values() if run.live and not run.parent]:
            session = runtime.sessions[run.session]
            if session.revoked or (session.quarantined and not runtime.dials.quarantine_leaks):
                continue
            found = next((one for one in carriers if _comes_across(attack, one, session)), None)
            if found is not None and there.trace(session.id).due <= at:
                there.trace(session.id).due = at + EVERY
                self._reads(state, there, attack, found, run, at)

    def _reads(self, state: State, there: Injections, attack: Attack, carrier: tuple[str, Document], run: Run, at: float) -> None:
        store, document = carrier
        trace = there.trace(run.session)
        found = judged(document.text, strictness(state, run.tenant))
        if all(one.document != document.id for one in trace.read):
            score = None if down(state) else found.score
            trace.read.append(Read(store, document.id, document.sha256, document.tenant, 0.2, score, document.text))
        if not down(state) and found.score >= FLAGGED:
            self._trips(trace, run.tenant, found, "retrieval", "block" if found.blocked else "flag", at)
        if attack.innocent or (found.blocked and not down(state)):
            return
        for deed in attack.deeds:
            self._does(state, there, deed, run, found, at)
        if attack.spreads_to and attack.spreads_to != run.tenant and not trace.writes:
            self._remembers(state, attack, trace, run.session, at)
            self._effect(run.tenant, "memory")

    def _does(self, state: State, there: Injections, deed: Deed, run: Run, found: Judged, at: float) -> None:
        trace = there.trace(run.session)
        if refused(state, deed.tool, run.tenant):
            self._trips(trace, run.tenant, found, "tool", "block", at)
            return
        if not down(state):
            self._trips(trace, run.tenant, found, "tool", "flag", at)
        if deed.host:
            kind = RENDER if deed.render else "tool"
            origin = Origin("agents", deed.host, kind, run.tenant, run.session, deed.tool, "chat" if deed.render else "")
            if not outbound(state).call(origin, at):
                return
        call = ToolCall(
            f"tc-{there.number():05d}", run.session, run.tenant, deed.tool, f"{there.counted * 2654435761 % 2**32:08x}", deed.reversible,
            deed.external, at, deed.host, deed.names,
        )  # fmt: skip
        if len(trace.calls) < MOST_CALLS:
            trace.calls.append(call)
        self._effect(run.tenant, "outbound" if deed.host else "tool_call")

    def _remembers(self, state: State, attack: Attack, trace: Trace, session: str, at: float) -> None:
        """It writes itself, in other words, into what another agent remembers."""
        made = library(state).plant(MEMORY, attack.text, at, tenant=attack.spreads_to, session=session, twin=True)
        trace.writes.append((MEMORY, made.id))

    def _trips(self, trace: Trace, tenant: str, found: Judged, stage: str, action: str, at: float) -> None:
        if len(trace.trips) < MOST_CALLS:
            trace.trips.append(Trip(found.rule, found.score, stage, action, at))
        labels = {"service": self._service, "tenant": tenant, "rule": found.rule, "stage": stage, "action": action}
        self._metrics.counter("guardrail_trips_total", labels).value += 1

    def _effect(self, tenant: str, kind: str) -> None:
        self._metrics.counter("injected_effects_total", {"service": self._service, "tenant": tenant, "kind": kind}).value += 1


def down(state: State) -> bool:
    """Whether the guardrails judge nothing."""
    return state.part(QualityFaults).guardrails_down


def strictness(state: State, tenant: str) -> str:
    """By which chain a tenant's texts are judged."""
    profiles = state.part(Runtime).profiles
    strict = any(profiles.get(name, Profile()).strict for name in (tenant, PLATFORM)) or state.part(Posture).strictness == "strict"
    return "strict" if strict else "usual"


def refused(state: State, tool: str, tenant: str) -> bool:
    """Whether a tool does not do what content has asked for."""
    runtime, fix = state.part(Runtime), injections(state).fix
    fixed = fix.validates and (not fix.tools or tool in fix.tools)
    closed = tool in HIGH_RISK and state.part(Posture).high_risk_tools == "closed"
    return fixed or closed or runtime.blocked(tool, tenant) or runtime.profiles.get(PLATFORM, Profile()).refuses(tool)


def _carriers(there: Injections, stores: Library, attack: Attack) -> list[tuple[str, Document]]:
    """Every document that says what the attack says, and is not kept out."""
    return [
        (name, one)
        for name, store in stores.stores.items()
        for one in store.documents
        if one.at is not None and one.id not in there.kept_out.get(name, {}) and _says(one.text, attack.text)
    ]


@lru_cache(maxsize=4096)
def _says(one: str, other: str) -> bool:
    """Remembered: the same few texts are looked at in every step."""
    return likeness(one, other) >= LIKE


def _comes_across(attack: Attack, carrier: tuple[str, Document], session: Session) -> bool:
    store, document = carrier
    if store == MEMORY:
        return document.tenant == session.tenant
    return session.tenant in attack.tenants and document.tenant in ("", session.tenant)
