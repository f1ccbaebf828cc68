"""Drafts of notices, filled from the record (spec §10.1): a person sends them, never we. What is not known says "under investigation"."""

from datetime import datetime

from activities.action import digest
from activities.clocks.clock import Clock, ClocksState, StageClock
from activities.clocks.orders import Draft
from activities.clocks.predicates import Facts

UNKNOWN = "under investigation"


def draft_of(state: ClocksState, clock: Clock, name: str) -> Draft:
    """The draft of one stage: the same for the same record, whenever it is asked for. Raises `KeyError` when there is no such stage."""
    stage = clock.stage(name)
    if stage is None:
        raise KeyError(name)
    facts, aware = state.facts, aware_at(state, clock)
    lines = (
        f"DRAFT: {clock.title} · {stage.name}", f"To: {'; '.join(clock.row.recipients)}",
        f"By: {clock.row.source} ({clock.row.version})", "",
        f"1. Our reference: {state.incident}", f"2. We became aware: {_instant(aware)}",
        f"3. Nature of the incident: {state.title or UNKNOWN}. {_nature(facts)}",
        f"4. Data concerned: {_data(facts)}", f"5. Persons concerned: {_persons(facts)}",
        f"6. Countries: {', '.join(facts.countries) if facts.countries else UNKNOWN}", f"7. Our role: {_roles(facts, clock)}",
        f"8. Likely consequences: {_consequences(facts)}", f"9. Measures taken: {UNKNOWN if not state.why else 'see the incident record'}",
        "10. Contact for further information: to be filled in by Legal",
        *_reasons(clock, stage),
        *(["", "This notice is given in phases: what is under investigation follows without undue further delay."] if _phased(clock, stage) else []),
    )  # fmt: skip
    text = "\n".join(lines)
    return Draft(
        text=text, recipients=clock.row.recipients, digest=digest({"text": text, "to": list(clock.row.recipients), "whom": clock.whom})
    )


def aware_at(state: ClocksState, clock: Clock) -> datetime | None:
    """The start that counts: what Legal has confirmed last, or else the earliest that was stated."""
    starts = (*state.events.get("aware", ()), *clock.moved)
    confirmed = [start for start in starts if start.basis == "confirmed"]
    return confirmed[-1].at if confirmed else min((start.at for start in starts), default=None)


def _phased(clock: Clock, stage: StageClock) -> bool:
    return any(one.name == stage.name and one.phased for one in clock.row.stages)


def _reasons(clock: Clock, stage: StageClock) -> tuple[str, ...]:
    """After the deadline the reasons for the delay belong into the notice (Art. 33(1))."""
    due = clock.due(stage)
    late = any(told.endswith("/missed") for told in stage.alarms)
    return (f"11. Reasons for the delay (it was due {_instant(due)}): to be filled in by Legal",) if due and late else ()


def _instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else UNKNOWN


def _said(answer: bool | None, yes: str, no: str, unknown: str) -> str:
    return unknown if answer is None else yes if answer else no


def _nature(facts: Facts) -> str:
    return _said(
        facts.malicious, "A malicious act is suspected.", "No malicious act is suspected.", f"Whether it was malicious is {UNKNOWN}."
    )


def _data(facts: Facts) -> str:
    kinds = {
        "special categories": facts.special_category, "health data": facts.phi, "card numbers": facts.pan, "children's data": facts.minors,
    }  # fmt: skip
    personal = _said(facts.personal_data, "personal data", "no personal data", f"whether personal data is concerned is {UNKNOWN}")
    named = [_said(answer, name, f"no {name}", f"{name}: {UNKNOWN}") for name, answer in kinds.items()]
    secured = _said(facts.encrypted, "encrypted, the key is not compromised", "not encrypted", f"encryption: {UNKNOWN}")
    return "; ".join((personal, *named, secured))


def _persons(facts: Facts) -> str:
    return ", ".join(f"{place} {count}" for place, count in sorted(facts.counts.items())) or f"number {UNKNOWN}"


def _roles(facts: Facts, clock: Clock) -> str:
    named = ", ".join(f"{name}: {role if role != 'unknown' else UNKNOWN}" for name, role in sorted(facts.data_sets.items()))
    return named or clock.row.role


def _consequences(facts: Facts) -> str:
    return _said(facts.high_risk, "a high risk to the persons concerned", "no high risk to the persons concerned", UNKNOWN)
