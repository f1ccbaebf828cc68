"""Values and words that every room needs. Light: no Temporal, so that a command that only computes answers at once."""

from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value that crosses the activity boundary. Unknown fields are refused: a typo is an error, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def filled(template: str, value: Value, **more: object) -> str:
    """A template with the fields of a value in it, and more. A duration is said as `5 min`, several names as `a, b and c`."""
    return template.format_map({**{name: _in_words(field) for name, field in value}, **more})


def span(duration: timedelta) -> str:
    """A duration, as people say it: `3 h`, `5 min`, `90 s`."""
    seconds = int(duration.total_seconds())
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds >= 60 and seconds % 60 == 0 else f"{duration.total_seconds():g} s"


def listed(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _in_words(value: Any) -> Any:
    if isinstance(value, timedelta):
        return span(value)
    return listed(value) if isinstance(value, tuple) and all(isinstance(one, str) for one in value) else value


class Risk(IntEnum):
    """Action classes (spec §2.4). C4, never by automation, has no verb and therefore no number here."""

    C0 = 0  # observe
    C1 = 1  # narrow, reversible, reduces risk
    C2 = 2  # broad, reversible
    C3 = 3  # hard to reverse, data-affecting, legal or large money

    @property
    def label(self) -> str:
        return f"C{self.value}"


class Concern(StrEnum):
    """What an incident is about, in the order in which it goes first when two want one thing (spec §11)."""

    EXFILTRATION = "stop active exfiltration"
    ISOLATION = "tenant isolation"
    INTEGRITY = "data integrity"
    EVIDENCE = "evidence"
    AVAILABILITY = "availability"
    COST = "cost"
    QUALITY = "quality"

    def before(self, other: "Concern") -> bool:
        order = list(Concern)
        return order.index(self) < order.index(other)


class Curve(StrEnum):
    """The symptom of an incident that no HTTP error shows: what of it is read from the metrics store (`activities/metrics/curves.py`)."""

    SPEND = "spend"
    QUALITY = "quality"
    GROUNDING = "grounding"
    INJECTION = "injection"
    BACKLOG = "backlog"
    REPLICATION = "replication"
    ISOLATION = "isolation"
    UNEXPECTED_USE = "unexpected_use"
    EXPOSURE = "exposure"
    EXPORTS = "exports"


class Role(StrEnum):
    """Who does what in an incident (seed §0.2, spec §4)."""

    INCIDENT_COMMANDER = "incident_commander"
    DEPUTY = "deputy"
    OPS_LEAD = "ops_lead"
    SECURITY_LEAD = "security_lead"
    COMMS_LEAD = "comms_lead"
    SCRIBE = "scribe"
    LEGAL = "legal"
    AI_ML_LEAD = "ai_ml_lead"
    DB_LEAD = "db_lead"
    FINANCE = "finance"
    ONCALL_MANAGER = "oncall_manager"
    DUTY_EXECUTIVE = "duty_executive"

    @property
    def title(self) -> str:  # type: ignore[override]
        """As people say it: `Incident Commander`."""
        return {"ai_ml_lead": "AI/ML Lead", "db_lead": "DB Lead", "oncall_manager": "On-call Manager"}.get(
            self.value, self.value.replace("_", " ").title()
        )


class Patience(StrEnum):
    """How long we try before a person is asked. The numbers are policy (`Policy.patience`)."""

    READ = "read"
    CHANGE = "change"
    ROLLOUT = "rollout"  # a platform brings it about, at its own pace
    WATCH = "watch"  # minutes long, heartbeating
    RECORD = "record"  # our own ledger: for ever, in the background


class Symptom(StrEnum):
    """What customers meet when a service is not as it should be. A playbook's card names those that count as its impact."""

    ERRORS = "errors"
    LATENCY = "latency"  # the 99th percentile against what is usual
    LOST_TRAFFIC = "lost traffic"  # requests that do not come any more, against what is usual
    TURNED_AWAY = "turned away"  # by our own gateway: nobody failed them, and nobody served them
