"""The numbers of a post-mortem: how long it took, what customers lost, when it is due. For the document and for programs."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from activities.action import Entry, Refused, Role
from activities.ledger.effects import PROVEN, Done
from activities.organisation.business_days import business_days_after, day_of
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from workflows.status import ItemState, Status


class House(NamedTuple):
    """Whose document it is: the policy's numbers, the roster, the dashboards."""

    policy: Policy = Policy()
    roster: Roster = Roster()
    dashboards: dict[str, str] = {}


DEFAULTS = House()


def facts(status: Status, entries: Sequence[Entry], effects: Sequence[Done], house: House = DEFAULTS) -> dict[str, JsonValue]:
    """The numbers of the post-mortem, for programs. Durations in real seconds. `None`: not reached yet, or not known."""
    return {
        "severity": int(status.severity),
        "peak_severity": int(status.peak_severity),
        "state": status.state.value,
        **{name: gap.total_seconds() if gap is not None else None for name, gap in times(status).items()},
        "due": deadline(status, house, Role.INCIDENT_COMMANDER).day.isoformat() if status.resolved_at else None,
        "impact": impact(status, entries)._asdict(),
        "checklist_missed": [tick.key for tick in status.checklist if tick.state is ItemState.MISSED],
        "checklist_late": [tick.key for tick in status.checklist if tick.state is ItemState.LATE],
        "entries": len(entries),
        "questions": len(status.questions),
        "answers_verified": sum(given.verified for q in status.questions for given in q.answers),
        "answers_self_declared": sum(not given.verified for q in status.questions for given in q.answers),
        "measures_in_force": len(status.in_force),
        "effects": sum(done.outcome in PROVEN for done in effects),
        "effects_not_proven": sum(done.outcome not in PROVEN for done in effects),
        "follow_ups": len(status.follow_ups),
    }


def times(status: Status) -> dict[str, timedelta | None]:
    """Time to detect, to acknowledge, to mitigate, to resolve."""
    onset = status.started_at or status.declared_at
    return {
        "detected_seconds": status.declared_at - onset,
        "acknowledged_seconds": status.acknowledged_at - status.declared_at if status.acknowledged_at else None,
        "mitigated_seconds": status.mitigated_at - onset if status.mitigated_at else None,
        "resolved_seconds": status.resolved_at - onset if status.resolved_at else None,
    }


class Impact(NamedTuple):
    """What customers lost, as far as the record shows it. `None`: not measured, which is not zero."""

    minutes: float | None
    tenants: int | None
    tenant_minutes: float | None
    failed_requests: float | None
    budget_share: float | None  # of the error budget of four weeks


def impact(status: Status, entries: Iterable[Entry]) -> Impact:
    """From the instants of the incident, and from the facts of timeline entries called `tenants` (the most: a radius only grows),
    `failed_requests` and `budget_share` (the newest). Minutes are policy time: real ones times the pace.
    """
    told = [entry.facts for entry in entries]
    tenants = [int(n) for n in _numbers(told, "tenants")]
    ended = status.mitigated_at or status.resolved_at
    lasted = (ended - (status.started_at or status.declared_at)).total_seconds() / 60 * status.pace if ended else None
    return Impact(
        minutes=round(lasted, 1) if lasted is not None else None,
        tenants=max(tenants, default=None),
        tenant_minutes=round(lasted * max(tenants), 1) if lasted is not None and tenants else None,
        failed_requests=next(reversed(_numbers(told, "failed_requests")), None),
        budget_share=next(reversed(_numbers(told, "budget_share")), None),
    )


def _numbers(told: Iterable[dict[str, JsonValue]], name: str) -> list[float]:
    return [value for facts_ in told if isinstance(value := facts_.get(name), int | float) and not isinstance(value, bool)]


class Due(NamedTuple):
    """The day of a deadline, and whose calendar made it."""

    day: date
    calendar: str


def deadline(status: Status, house: House, owner: Role) -> Due:
    """Business days after the owner's day on which it was resolved, that day not counted, in the owner's country.

    Without a calendar only weekends are skipped; without a time zone the day is UTC's.
    """
    person = house.roster.person(status.roles.get(owner, "")) or next(iter(house.roster.holders((owner,))), None)
    country = (person.country if person else "") or house.policy.country
    zone = (person.time_zone if person else "") or house.policy.time_zone
    days, resolved, where = house.policy.post_mortem_days, status.resolved_at or status.updated_at, f"the days of {zone or 'UTC'}"
    try:
        first = day_of(resolved, zone)
    except Refused as unknown:
        first, where = day_of(resolved), f"the days of UTC: {unknown.message}"
    try:
        last, calendar = business_days_after(first, days, country), f"holidays of {country.upper()}"
    except Refused as unknown:
        last, calendar = business_days_after(first, days), f"weekends only: {unknown.message}"
    return Due(last, f"{calendar if country else 'weekends only: no country is set'}; {where}")
