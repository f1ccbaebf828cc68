"""What makes the spending run away, told apart by what the meters and the runtime show (spec §9.6, Triage). Pure: decisions stay in the playbook."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from activities.agents.seen import Agent, AgentList, Run, RunList
from activities.budgets.quotas import KeyList
from activities.metrics.curves import CurveReading, of_labels
from activities.organisation.numbers import CostRunaway, LoopNumbers
from activities.platform.change_feed import Change, Changes
from activities.usage.spend_reading import KeyUse, Offender, SpendReading
from workflows.severity.facts import Facts, Scope, Slo

MOST_SAID = 3


class Cause(StrEnum):
    LOOP = "runaway loop"
    RETRIES = "retry storm"
    BLOAT = "context bloat"
    STOLEN = "stolen key"
    PRICE = "price change"
    LAUNCH = "legitimate launch"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Found:
    """One cause, whose it is, and what speaks for it. `runs`: the runs that run away, each before its children."""

    cause: Cause
    evidence: tuple[str, ...]
    offender: Offender | None = None
    agent: Agent | None = None
    key: KeyUse | None = None
    runs: tuple[Run, ...] = ()

    @property
    def name(self) -> str:
        if self.offender is not None:
            return f"{self.cause}: {self.offender.agent} of {self.offender.tenant}"
        return f"{self.cause}: {self.key.key}" if self.key is not None else str(self.cause)

    @property
    def roots(self) -> tuple[Run, ...]:
        """Those that are no child of another one that runs away: with a run its children end."""
        known = {run.trace for run in self.runs}
        return tuple(run for run in self.runs if run.parent not in known)


@dataclass(frozen=True)
class Seen:
    """What triage has found."""

    reading: SpendReading
    agents: AgentList
    runs: RunList
    keys: KeyList
    changes: Changes | None  # None: nobody can say what was changed
    curve: CurveReading
    causes: tuple[Found, ...] = field(default=())

    def ill(self, found: Found) -> bool:
        """Whether the curve itself says that it is too far from usual; otherwise it is only suspected."""
        if found.offender is None:
            return True
        whose = {"tenant": found.offender.tenant, "agent": found.offender.agent}
        return any(one.ill for one in of_labels(self.curve, whose))

    def facts(self) -> Facts:
        """As the severity function reads it: the multiple of whoever is furthest from usual, and what all of it costs."""
        multiples = (self.reading.multiple, *(one.multiple for one in self.reading.offenders))
        known = [one for one in multiples if one is not None]
        return Facts(
            spend_multiple=max(known, default=None), spend_usd_per_h=self.reading.usd_per_hour, scope=Scope.COMPONENT, slo=Slo.NO,
            stale=self.reading.blind,
        )  # fmt: skip


def diagnose(seen: Seen, numbers: CostRunaway, loops: LoopNumbers, named: Collection[str] = ()) -> tuple[Found, ...]:
    """Every cause that something speaks for, the likeliest first: what the curve shows, then what an alert has `named` (tenant or agent)."""
    dearer = _dearer(seen, numbers)
    found = [_of_agent(seen, one, numbers, loops) for one in seen.reading.offenders if _suspect(one, numbers, seen)]
    told = [one for one in found if one.cause is not Cause.UNKNOWN or not dearer]
    told.sort(key=lambda one: (not seen.ill(one), not (one.offender and {one.offender.tenant, one.offender.agent} & set(named))))
    return (*dearer, *told, *_stolen(seen, numbers))


def _suspect(offender: Offender, numbers: CostRunaway, seen: Seen) -> bool:
    """Spends a multiple of what is usual of it; of whom nobody knows that, it must be one of those that spend most."""
    if offender.multiple is not None:
        return offender.multiple >= numbers.suspect_multiple
    return offender.usd_per_hour > numbers.clamp_at_least_usd_per_h and offender is seen.reading.offenders[0]


def _of_agent(seen: Seen, offender: Offender, numbers: CostRunaway, loops: LoopNumbers) -> Found:
    agent = seen.agents.of(offender.tenant, offender.agent)
    mine = tuple(run for run in seen.runs.runs if agent is not None and run.agent == agent.id and not run.over)
    looping = {run.trace: said for run in mine if (said := run.looping(loops))}
    failing = tuple(run for run in mine if run.calls >= numbers.least_calls and run.failed_calls / run.calls >= numbers.failed_calls)
    usual = agent.tokens_per_call_usual if agent is not None else 0.0
    bloated = tuple(run for run in mine if usual and run.calls >= numbers.least_calls and run.tokens / run.calls >= numbers.bloated * usual)
    said = (str(offender),)
    if looping:
        runs = tuple(run for run in mine if run.trace in looping)
        return Found(
            Cause.LOOP, (*said, *(f"{run.trace}: {looping[run.trace][0]}" for run in runs[:MOST_SAID])), offender, agent, runs=runs
        )
    if failing:
        shares = (f"{run.trace}: {run.failed_calls} of {run.calls} calls failed" for run in failing[:MOST_SAID])
        return Found(Cause.RETRIES, (*said, *shares), offender, agent, runs=failing)
    if bloated:
        lengths = (f"{run.trace}: {run.tokens / run.calls:.0f} tokens a call, usual are {usual:.0f}" for run in bloated[:MOST_SAID])
        return Found(Cause.BLOAT, (*said, *lengths), offender, agent, runs=bloated)
    if launched := _launched(seen, offender, numbers):
        return Found(Cause.LAUNCH, (*said, *launched), offender, agent)
    return Found(Cause.UNKNOWN, (*said, f"{len(mine)} runs, none of which looks like a loop, fails or has long contexts"), offender, agent)


def _launched(seen: Seen, offender: Offender, numbers: CostRunaway) -> tuple[str, ...]:
    """What speaks for a launch: a release note of this tenant, or many more users."""
    notes = [one.in_words() for one in _changes(seen) if one.details.get("tenant") == offender.tenant and one.details.get("release")]
    users = next((one.ratio for one in seen.reading.users if one.tenant == offender.tenant), None)
    more = (f"×{users:.1f} of last week's active users",) if users is not None and users >= numbers.more_users else ()
    return (*notes[-1:], *more)


def _dearer(seen: Seen, numbers: CostRunaway) -> tuple[Found, ...]:
    """The price: money has grown beyond what is usual, and tokens have not."""
    reading, usual_tokens = seen.reading, sum(one.tokens_per_minute_usual for one in seen.agents.agents)
    if not (reading.multiple and reading.tokens_per_minute and usual_tokens):
        return ()
    tokens = reading.tokens_per_minute / usual_tokens
    if reading.multiple / tokens < numbers.price_multiple:
        return ()
    vendors = [one.in_words() for one in _changes(seen) if one.kind == "vendor"]
    said = f"spending is ×{reading.multiple:.1f} of what is usual, tokens are ×{tokens:.1f}: a token costs ×{reading.multiple / tokens:.1f}"
    return (Found(Cause.PRICE, (said, *vendors[-1:])),)


def _stolen(seen: Seen, numbers: CostRunaway) -> tuple[Found, ...]:
    """Keys with which the provider counts more than we do; and from which networks they are used."""
    found = []
    for use in seen.reading.keys:
        if use.gap is not None and use.gap > numbers.meter_gap:
            networks = next((one.networks for one in seen.keys.keys if one.key == use.key), ())
            said = f"the provider counts {use.provider_meter or 0:.0f} tokens per minute with {use.key}, we count {use.own or 0:.0f}"
            found.append(Found(Cause.STOLEN, (said, f"used from {', '.join(networks) or 'networks that nobody knows'}"), key=use))
    return tuple(found)


def _changes(seen: Seen) -> Sequence[Change]:
    return seen.changes.changes if seen.changes is not None else ()
