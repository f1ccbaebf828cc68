"""Which clocks there are (spec §10.2): every row is data, with its source and its version, and those that are off too. Legal owns them.

Values only: they cross the activity boundary. `table.py` reads them from the files.
"""

import re
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from activities.action import Role, Value
from activities.clocks.predicates import Facts, known_predicate

EVENTS = (
    "aware", "high_risk_decided", "materiality_determined", "classified_major", "fix_available", "ransom_paid",
)  # fmt: skip
TOGETHER = {"high_risk_decided", "materiality_determined"}  # decided by Legal and an executive together (spec §4)
AWARE = "aware"
# What a contract may count from: the first word of it, whatever is confirmed later; or only what is confirmed.
SUSPECTED, CONFIRMED = "the first suspicion", "what Legal has confirmed"
STAGE = "stage:"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Rule(Value):
    """One deadline: so much after an event. `time_zone`: where a day ends; `calendar`: whose holidays; `cutoff`: when a day of business ends."""

    since: str = "aware"
    unit: Literal["hours", "calendar_days", "business_days", "months"]
    n: int = Field(ge=1)
    calendar: str = ""
    time_zone: str = ""
    cutoff: str = ""  # 17:30
    extends: bool = False
    after_year_end: bool = False

    def in_words(self) -> str:
        amount = f"{self.n} {self.unit.replace('_', ' ')}" + (
            f" ({self.calendar})" if self.unit == "business_days" and self.calendar else ""
        )
        return f"{amount} from {self.since}" + (", after the end of that year" if self.after_year_end else "")


class Stage(Value):
    """One thing that has to be sent. `phased`: what is not known yet may follow. `when`: beside the row's own conditions."""

    name: str = Field(min_length=1, max_length=60)
    due: tuple[Rule, ...] = Field(min_length=1)
    when: tuple[str, ...] = ()
    phased: bool = False
    done_by: str = ""  # an event that is the very thing: nothing has to be sent


class Regime(Value):
    """One row of the table. `internal`: nothing leaves the house. `signs`: whose signature the exact text needs before a person sends it."""

    title: str
    role: str
    version: str = Field(min_length=1)
    source: str = Field(min_length=1)
    confidence: Literal["high", "medium", "low"]
    on: bool = True
    in_force_from: date | None = None
    when: tuple[str, ...] = ()
    expand: Literal["", "tenant", "country"] = ""
    terms: Literal["", "replace", "shorter"] = ""  # what a tenant's contract does with the hours of this row
    recipients: tuple[str, ...] = Field(min_length=1)
    internal: bool = False
    ai_hold: bool = False
    signs: tuple[Role, ...] = (Role.LEGAL,)
    stages: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        names = [stage.name for stage in self.stages]
        for stage in self.stages:
            for rule in stage.due:
                earlier = names[: names.index(stage.name)]
                if rule.since.startswith(STAGE) and rule.since.removeprefix(STAGE) not in earlier:
                    raise ValueError(f"stage {stage.name!r} is counted from {rule.since!r}, which is no earlier stage of this row")
                if not rule.since.startswith(STAGE) and rule.since not in (*EVENTS, SUSPECTED, CONFIRMED):
                    raise ValueError(f"stage {stage.name!r} is counted from {rule.since!r}{_of(rule.since, EVENTS)}")
        if len(set(names)) < len(names):
            raise ValueError("two stages have one name")
        if self.on and not self.stages:
            raise ValueError("a row that is on needs a stage")
        if Role.LEGAL not in self.signs:
            raise ValueError("signs must have legal in it: notices are Legal's (spec §4)")
        for condition in (*self.when, *(one for stage in self.stages for one in stage.when)):
            if not known_predicate(condition):
                raise ValueError(f"{condition!r} is no predicate (activities/clocks/predicates.py)")
        return self

    def in_force(self, at: datetime) -> bool:
        return self.on and (self.in_force_from is None or at.date() >= self.in_force_from)


class TenantTerms(Value):
    """What the contract with one tenant says. `notice_hours`: None where nobody has written it down: then the row's default counts.

    `starts`: whether they run from the first suspicion, or from what is confirmed.
    """

    notice_hours: int | None = Field(None, ge=1)
    starts: Literal["suspected", "confirmed"] = "suspected"
    country: str = ""
    contact: str = ""  # a role or a reference, never a person's address: it stands in drafts


class AlarmNumbers(Value):
    """When people are told of a clock. Legal always; executives and the CEO's designee from a share of the time on."""

    shares: tuple[float, ...] = (0.25, 0.5, 0.75, 0.9)
    before: tuple[timedelta, ...] = (timedelta(hours=4), timedelta(hours=1))
    executives_from: float = 0.75
    ceo_from: float = 0.9
    missed_again: timedelta = Field(timedelta(hours=4), gt=timedelta(0))  # how often people hear of a deadline that has passed
    pages_within: timedelta = timedelta(hours=72)  # nearer than this they are paged; farther, a direct message will do
    ceo_designee: str = ""  # a person of the roster; empty: nobody is named, and the executives are told so


class ClockTable(Value):
    """Everything that `clocks.toml` and our defaults say together. `profile`: standing facts about us, which nobody must be asked each time."""

    regimes: dict[str, Regime]
    profile: Facts = Facts()
    tenants: dict[str, TenantTerms] = {}
    trouble: str = ""  # why the organisation's own file does not count; not a key of the file
    closures: dict[str, tuple[date, ...]] = {}  # days that a calendar does not know: `US = [2025-01-09]`
    alarms: AlarmNumbers = AlarmNumbers()
    kept_for: timedelta = timedelta(days=90)  # how long a finished set of clocks still listens for new facts
    events_per_run: int = Field(500, ge=1)  # alarms and messages after which the workflow that keeps the clocks begins anew

    @field_validator("regimes")
    @classmethod
    def _named_plainly(cls, given: dict[str, Regime]) -> dict[str, Regime]:
        for name in given:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r}: a row is named in small letters, digits and dashes")
        return given


def _of(said: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(said, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
