"""The numbers of a post-mortem: how long it took, what customers lost, when it is due. For the document and for programs."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from activities.action import Refused, Role
from activities.ledger.custody import ManifestLine
from activities.ledger.effects import PROVEN, Done
from activities.ledger.entry import Entry
from activities.organisation.business_days import business_days_after, day_of
from activities.organisation.people import Roster
from activities.organisation.policy import Policy
from workflows.status import ItemState, Status


class House(NamedTuple):
    """Whose document it is: the policy's numbers, the roster, the dashboards; and the manifest of what was kept as evidence."""

    policy: Policy = Policy()
    roster: Roster = Roster()
    dashboards: dict[str, str] = {}
    evidence: tuple[ManifestLine, ...] = ()


DEFAULTS = House()


def facts(status: Status, entries: Sequence[Entry], effects: Sequence[Done], house: House = DEFAULTS) -> dict[str, JsonValue]:
    """The numbers of the post-mortem, for programs. Durations in real seconds. `None`: not reached yet, or not known."""
    answers = [given for question in status.questions for given in question.answers]
    return {
        "severity": int(status.severity),
        "peak_severity": int(status.peak_severity),
        "state": status.state.value,
        **{name: gap.total_seconds() if gap is not None else None for name, gap in times(status).items()},
        "due": deadline(status, house, Role.INCIDENT_COMMANDER)[0].isoformat() if status.resolved_at else None,
        "impact": {**impact(status, entries)},
        "checklist_missed": [tick.key for tick in status.checklist if tick.state is ItemState.MISSED],
        "checklist_late": [tick.key for tick in status.checklist if tick.state is ItemState.LATE],
        "entries": len(entries),
        "questions": len(status.questions),
        "answers_verified": sum(given.verified for given in answers),
        "answers_self_declared": sum(not given.verified for given in answers),
        "measures_in_force": len(status.in_force),
        "effects": sum(done.outcome in PROVEN for done in effects),
        "effects_not_proven": sum(done.outcome not in PROVEN for done in effects),
        "follow_ups": len(status.follow_ups),
        "evidence": [line.model_dump(mode="json") for line in house.evidence],
    }


def times(status: Status) -> dict[str, timedelta | None]:
    """Time to detect, to acknowledge, to mitigate, to resolve."""
    onset, declared = status.started_at or status.declared_at, status.declared_at
    return {
        "detected_seconds": declared - onset,
        "acknowledged_seconds": status.acknowledged_at - declared if status.acknowledged_at else None,
        "mitigated_seconds": status.mitigated_at - onset if status.mitigated_at else None,
        "resolved_seconds": status.resolved_at - onset if status.resolved_at else None,
    }


def impact(status: Status, entries: Iterable[Entry]) -> dict[str, float | None]:
    """What customers lost, as far as the record shows it. `None`: not measured, which is not zero.

    From the instants of the incident, and from the facts of timeline entries called `tenants` (the most: a radius only grows),
    `failed_requests` and `budget_share` (the newest; of the error budget of four weeks). Minutes are policy time: real ones times the pace.
    """

    def told(name: str) -> list[float]:
        values = [entry.facts.get(name) for entry in entries]
        return [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]

    tenants = max(map(int, told("tenants")), default=None)
    ended = status.mitigated_at or status.resolved_at
    lasted = status.policy_time(status.started_at or status.declared_at, ended).total_seconds() / 60 if ended else None
    return {
        "minutes": round(lasted, 1) if lasted is not None else None,
        "tenants": tenants,
        "tenant_minutes": round(lasted * tenants, 1) if lasted is not None and tenants is not None else None,
        "failed_requests": next(reversed(told("failed_requests")), None),
        "budget_share": next(reversed(told("budget_share")), None),
    }


def deadline(status: Status, house: House, owner: Role) -> tuple[date, str]:
    """The day, and whose calendar made it: business days after the owner's day on which it was resolved, that day not counted.

    Without a calendar of the owner's country only weekends are skipped; without a time zone the day is UTC's.
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
    return last, f"{calendar if country else 'weekends only: no country is set'}; {where}"
