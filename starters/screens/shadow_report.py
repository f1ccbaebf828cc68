"""`incident report --shadow`: what we would have done beside what people did. From the ledger alone, so it needs no server and no worker."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from pydantic import BaseModel

from activities.action import Risk, Role
from activities.ledger.entry import Entry
from starters.cli import options
from starters.cli.options import Which
from starters.cli.terminal import AsJson, group, say_json
from starters.screens.text import CliError, plain, span
from workflows.engine.proof.shadow import DID, DID_NOT, UNKNOWN
from workflows.incident import Phase
from workflows.status import Status, Step, StepState

MITIGATES = (Phase.TRIAGE, Phase.MITIGATION, Phase.FORENSICS)
VERDICTS = {DID: "people did the same", DID_NOT: "nobody did", UNKNOWN: "cannot tell"}
FREEZE = "freezes."  # its verbs protect the mitigation, and are none themselves

app = group()


class Would(BaseModel):
    """One step that was only said. `seen_at`: when somebody's own doing was first seen; `not_before`: the last look without it."""

    number: int
    verb: str
    target: str
    says: str
    risk: str
    at: datetime
    verdict: str
    seen_at: datetime | None = None
    not_before: datetime | None = None
    why: str = ""


class Asked(BaseModel):
    number: int
    asks: str
    of: tuple[Role, ...]
    risk: str
    at: datetime


class ShadowReport(BaseModel):
    """Ours beside theirs. Times of the clock in UTC; `…_seconds` are policy seconds after the first bad sample."""

    incident_id: str
    playbook: str
    state: str
    may_write: tuple[str, ...]
    began_at: datetime
    first_would_be_at: datetime | None
    first_would_be: str
    impact_ended_at: datetime | None
    resolved_at: datetime | None
    first_would_be_seconds: float | None
    impact_ended_seconds: float | None
    ahead_seconds: float | None  # by how much our first mitigation would have come before the impact ended
    alerts: int
    steps: list[Would]
    questions: list[Asked]
    people: list[str]  # what people said and did, as far as it reached us


def compare(status: Status, entries: Sequence[Entry]) -> ShadowReport:
    """The comparison. Raises `CliError` for an incident that ran in live mode: there is nothing to compare."""
    if not status.shadow:
        mode = status.mode or "an unknown"
        raise CliError(f"{status.incident_id} ran in {mode} mode: it acted, there is nothing to compare", "incident postmortem")
    steps = [_would(step, entries, status) for step in status.steps if step.state is StepState.ASSUMED and step.phase in MITIGATES]
    first = next((step for step in steps if not step.verb.startswith(FREEZE)), None)
    began = status.started_at or status.declared_at
    ours, theirs = (
        round(status.policy_time(began, instant).total_seconds(), 1) if instant else None
        for instant in (first.at if first else None, status.mitigated_at)
    )
    return ShadowReport(
        incident_id=status.incident_id, playbook=status.playbook, state=status.state, may_write=status.may_write, began_at=began,
        first_would_be_at=first.at if first else None, first_would_be=first.says if first else "",
        impact_ended_at=status.mitigated_at, resolved_at=status.resolved_at, first_would_be_seconds=ours, impact_ended_seconds=theirs,
        ahead_seconds=round(theirs - ours, 1) if ours is not None and theirs is not None else None, alerts=status.alerts, steps=steps,
        questions=[
            Asked(number=q.number, asks=plain(q.asks), of=q.roles, risk=q.risk.label, at=q.asked_at) for q in status.would_ask
        ],
        people=[
            f"{e.at:%H:%M:%S} {e.kind}: {plain(e.text)}" for e in entries
            if e.kind in (DID, "alert") or e.by not in ("automation", "alertmanager", "")
        ],
    )  # fmt: skip


def _would(step: Step, entries: Sequence[Entry], status: Status) -> Would:
    """A step with its verdict: what was seen of its own measure, or of a later step of the same measure (a ramp is one measure)."""
    told = Would(
        number=step.number, verb=step.verb, target=step.target, says=plain(step.says), risk=step.risk.label,
        at=step.ended_at or step.started_at, verdict=VERDICTS[UNKNOWN],
    )  # fmt: skip
    same = (s.number for s in status.steps if s.state is StepState.ASSUMED and (s.verb, s.target) == (step.verb, step.target))
    leader = next(same, step.number)  # the first step of a measure carries the verdict for all of them
    seen = next((e for e in entries if e.kind in VERDICTS and e.step == leader), None)
    if seen is None:
        told.why = "it was not checked again" if step.risk >= Risk.C1 else "a message: other ways of sending it are not seen"
        return told
    told.verdict = VERDICTS[seen.kind]
    told.why = plain(seen.text) if seen.kind == UNKNOWN else ""
    told.not_before = datetime.fromisoformat(str(seen.facts["not_before"]))
    if seen.kind == DID:
        told.seen_at = seen.at
        if seen.at <= told.at:
            told.verdict = "people had done it already"
    return told


def lines(report: ShadowReport) -> list[str]:
    but = f" but {', '.join(report.may_write)}" if report.may_write else ""
    acted = f": {report.first_would_be}" if report.first_would_be else ""
    ahead = "no comparison: one of the two never came"
    if report.ahead_seconds is not None:
        said = span(timedelta(seconds=abs(report.ahead_seconds)))
        ahead = f"our first mitigation would have come {said} {'before' if report.ahead_seconds >= 0 else 'after'} the end of the impact"
    return [
        f"{report.incident_id}: shadow mode, nothing was changed{but}; now {report.state}",
        "",
        f"first bad sample     {report.began_at:%H:%M:%S} UTC",
        f"we would have acted  {_when(report.first_would_be_at, report.first_would_be_seconds)}{acted}",
        f"the impact ended     {_when(report.impact_ended_at, report.impact_ended_seconds)}, by the metrics",
        ahead,
        "",
        f"what we would have done ({len(report.steps)})",
        *(line for step in report.steps for line in _step(step)),
        "",
        f"whom we would have asked ({len(report.questions)})",
        *(f"  {q.at:%H:%M:%S} [{q.number}] {' or '.join(role.title for role in q.of)} ({q.risk}): {q.asks}" for q in report.questions),
        "",
        f"what reached us of people and alerts ({len(report.people)}; {report.alerts} alerts)",
        *(f"  {line}" for line in report.people),
    ]


def _when(instant: datetime | None, seconds: float | None) -> str:
    return "never" if instant is None or seconds is None else f"{instant:%H:%M:%S} UTC, after {span(timedelta(seconds=seconds))}"


def _step(step: Would) -> list[str]:
    seen = f" by {step.seen_at:%H:%M:%S}" if step.seen_at else ""
    since = f" (not yet at {step.not_before:%H:%M:%S})" if step.seen_at and step.not_before and step.not_before < step.seen_at else ""
    why = f": {step.why}" if step.why else ""
    return [f"  {step.at:%H:%M:%S} {step.verb} {step.target} ({step.risk}): {step.says}", f"           → {step.verdict}{seen}{since}{why}"]


@app.command()
def report(
    incident: Which = "",
    shadow: Annotated[bool, typer.Option("--shadow", help="Compare with what people did. Required: there is no other report.")] = False,
    as_json: AsJson = False,
) -> None:
    """After an incident in shadow mode: compare what automation would have done with what people did."""
    if not shadow:
        raise CliError("the only report is --shadow", "incident report --shadow")
    reader = options.reader()
    seen = reader.status(reader.find(incident))
    entries, _ = reader.timeline(seen.status.incident_id)
    found = compare(seen.status, entries)
    if as_json:
        return say_json(found.model_dump(mode="json"))
    print("\n".join(lines(found)))
    return None
